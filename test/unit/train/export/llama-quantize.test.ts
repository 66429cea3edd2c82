import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkExportTools, ensureLlamaQuantize } from '../../../../src/train/export/llama-quantize.ts';
import { errorOf } from '../../../support/error-of.ts';
import { llamaCppFolder } from '../../../../src/train/llama-cpp-source.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** A cache with sources, and a PATH on which cmake is the script that is given; it says what it was called with. */
async function cacheWithCmake(script: string): Promise<{ cacheDir: string; calls: () => Promise<string> }> {
  const cacheDir = temporaryFolder();
  const bin = path.join(cacheDir, 'bin');
  const llamaCpp = await llamaCppFolder(cacheDir);
  for (const folder of [bin, llamaCpp]) await mkdir(folder, { recursive: true });
  await writeFile(path.join(llamaCpp, 'convert_hf_to_gguf.py'), '');
  await writeFile(path.join(bin, 'cmake'), `#!/bin/sh\necho "$@" >> '${cacheDir}/calls'\n${script}\n`);
  await chmod(path.join(bin, 'cmake'), 0o755);
  const { PATH } = process.env;
  process.env['PATH'] = `${bin}:/usr/bin:/bin`;
  onTestFinished(() => {
    process.env['PATH'] = PATH;
  });
  return { cacheDir, calls: () => readFile(path.join(cacheDir, 'calls'), 'utf8') };
}

async function program(folder: string, help: string): Promise<string> {
  const file = path.join(folder, 'installed-quantize');
  await writeFile(file, `#!/bin/sh\necho '${help}'\nexit 1\n`);
  await chmod(file, 0o755);
  return file;
}

describe('ensureLlamaQuantize', () => {
  it('takes an installed one that knows the types, and compiles nothing', async () => {
    const { cacheDir } = await cacheWithCmake('exit 1');
    const installed = await program(cacheDir, 'usage: [--dry-run] 15 or Q4_K_M 17 or Q5_K_M 18 or Q6_K');
    expect(await ensureLlamaQuantize({ cacheDir, installed })).toBe(installed);
    expect(existsSync(path.join(cacheDir, 'calls'))).toBe(false);
  });

  it.each([
    ['none', null],
    ['an old one', 'usage: 15 or Q4_K_M 17 or Q5_K_M 18 or Q6_K'],
    ['one that lacks a type', 'usage: [--dry-run] 15 or Q4_K_M 18 or Q6_K'],
  ])('compiles one where %s is installed, once, and tells how far it is', async (_name, help) => {
    const { cacheDir, calls } = await cacheWithCmake('echo "[ 10%] a"; echo "[ 55%] b"; echo "[100%] c"');
    const installed = help === null ? '/none/llama-quantize' : await program(cacheDir, help);
    const steps: string[] = [];
    const made = await ensureLlamaQuantize({ cacheDir, installed, onStep: (step) => steps.push(step) });
    expect(made).toMatch(/\/llama-quantize-llama\.cpp-node-llama-cpp-[^/]+\/bin\/llama-quantize$/);
    expect(steps.slice(0, 2)).toEqual([
      'configure llama-quantize',
      'compile llama-quantize (about three minutes on two cores; kept for later)',
    ]);
    const after = await calls();
    expect(after.trim().split('\n')).toHaveLength(2);
    expect(after).toContain('-DGGML_NATIVE=OFF');
    expect(after).toContain('--target llama-quantize');
    expect(await ensureLlamaQuantize({ cacheDir, installed })).toBe(made);
    expect(await calls()).toBe(after);
  });

  it('compiles once where two ask at the same time', async () => {
    const { cacheDir, calls } = await cacheWithCmake('sleep 0.2');
    const ask = () => ensureLlamaQuantize({ cacheDir, installed: '/none/llama-quantize' });
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(second).toBe(first);
    expect((await calls()).trim().split('\n')).toHaveLength(2);
  });

  it('names the packages, and the types that need no compiler, where it cannot be compiled', async () => {
    const { cacheDir } = await cacheWithCmake('echo "No CMAKE_CXX_COMPILER could be found."; exit 1');
    const error = await errorOf(() => ensureLlamaQuantize({ cacheDir, installed: '/none/llama-quantize' }));
    expect(error.code).toBe('OSLER_ERR_TOOL_MISSING');
    expect(error.message).toContain('"cmake" is needed to compile llama-quantize, which makes q6_k, q5_k_m, q4_k_m.');
    expect(error.message).toContain('No CMAKE_CXX_COMPILER could be found.');
    expect(error.message).toContain('apt-get install cmake g++ git');
    expect(error.message).toContain('output.ggufTypes=["q8_0"]');
  });
});

describe('ensureLlamaQuantize without cmake', () => {
  it('says so', async () => {
    const { cacheDir } = await cacheWithCmake('exit 1');
    process.env['PATH'] = '/none';
    const error = await errorOf(() => ensureLlamaQuantize({ cacheDir }));
    expect(error.code).toBe('OSLER_ERR_TOOL_MISSING');
    expect(error.message).toMatch(/It said: .*cmake/);
    expect(error.message).toContain('apt-get install cmake g++ git');
  });
});

describe('checkExportTools', () => {
  it('asks for nothing where no type needs llama-quantize', async () => {
    const { cacheDir } = await cacheWithCmake('exit 1');
    await expect(checkExportTools(['q8_0', 'bf16'], { cacheDir, installed: '/none/llama-quantize' })).resolves.toBeUndefined();
  });

  it('names what is missing before a training begins, and compiles nothing', async () => {
    const { cacheDir } = await cacheWithCmake('exit 1');
    const error = await errorOf(() => checkExportTools(['q4_k_m'], { cacheDir, installed: '/none/llama-quantize' }));
    expect(error.code).toBe('OSLER_ERR_TOOL_MISSING');
    expect(error.message).toContain('apt-get install cmake g++ git');
  });

  it('is content with an installed one, and with one that was compiled', async () => {
    const { cacheDir } = await cacheWithCmake('true');
    await ensureLlamaQuantize({ cacheDir, installed: '/none/llama-quantize' });
    await writeFile(path.join(cacheDir, 'bin/cmake'), '#!/bin/sh\nexit 1\n');
    await expect(checkExportTools(['q4_k_m'], { cacheDir, installed: '/none/llama-quantize' })).resolves.toBeUndefined();
    const installed = await program(cacheDir, '--dry-run Q4_K_M Q5_K_M Q6_K');
    await expect(checkExportTools(['q6_k'], { cacheDir: temporaryFolder(), installed })).resolves.toBeUndefined();
  });
});
