import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackendChoice, prebuiltCpu } from '../../src/engine/llama/backend-choice.ts';
import { backendDeps, chooseBackend } from '../../src/engine/llama/backends.ts';
import { findLocalBuilds } from '../../src/engine/llama/installed-addons.ts';
import { probeModelBytes } from '../../src/engine/llama/probe-model.ts';
import { type ProbeResult, probeBackend } from '../../src/engine/llama/probe.ts';
import { runOsler } from '../integration/support/cli.ts';

const cpuBuild = (await findLocalBuilds()).find(({ gpu }) => gpu === 'off');

describe('backends on this machine’s CPU', () => {
  let folder = '';
  let modelFile = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'osler-backends-'));
    modelFile = path.join(folder, 'probe.gguf');
    await writeFile(modelFile, probeModelBytes('tiny'));
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  async function probe(choice: BackendChoice, file = modelFile): Promise<ProbeResult> {
    return await probeBackend({ choice, modelFile: file, threads: 2, tokens: 16 });
  }

  it('npm’s binary loads the probe’s model and decodes', async () => {
    const result = await probe(prebuiltCpu);
    expect(result).toMatchObject({ ok: true, device: 'CPU, 2 threads' });
    expect(result.ok && result.tokensPerSecond).toBeGreaterThan(0);
  });

  it.runIf(cpuBuild !== undefined)('so does the one that was compiled here', async () => {
    const result = await probe({ source: 'build', gpu: 'off', cmakeOptions: cpuBuild?.cmakeOptions ?? {} });
    expect(result).toMatchObject({ ok: true, device: 'CPU, 2 threads' });
  });

  it('a build that is not there is not replaced by another binary', async () => {
    const result = await probe({ source: 'build', gpu: 'off', cmakeOptions: { GGML_OPENMP: 'never built' } });
    expect(result).toMatchObject({ ok: false, reason: 'its binary is not there, or does not load on this machine' });
  });

  it('a file that is no model is a reason, not a crash of ours', async () => {
    const result = await probe(prebuiltCpu, import.meta.filename);
    expect(result.ok).toBe(false);
    expect(!result.ok && result.reason).not.toBe('');
  });

  it('a start chooses one, and the next start the same one without a try', async () => {
    const steps: string[] = [];
    const config = { home: folder, gpu: 'off', threads: 2 } as const;
    const first = await chooseBackend(await backendDeps(config, { onStep: (step) => steps.push(step) }));
    expect(first.choice).toMatchObject({ gpu: 'off', source: cpuBuild === undefined ? 'prebuilt' : 'build' });
    const tried = steps.length;
    expect(tried).toBeGreaterThan(0);
    expect(await chooseBackend(await backendDeps(config, { onStep: (step) => steps.push(step) }))).toEqual(first);
    expect(steps).toHaveLength(tried);
  });

  it('osler doctor tries them for real, and ends with 0', async () => {
    const result = await runOsler(['doctor', '--json'], { home: folder, env: { OSLER_GPU: 'off' } });
    expect(result.exitCode, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ engine: { choice: { gpu: 'off' } } });
  });
});
