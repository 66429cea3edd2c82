import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { RunExport } from '../../../src/train/export/run-export.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { installExportTools, writeTrained } from '../../support/export-tools.ts';
import { runOsler } from '../support/cli.ts';
import { keptHome } from '../support/kept-home.ts';

async function homeWithTools() {
  const { home } = await keptHome({ 'run-1': 'done', 'run-2': 'training' });
  const { venv, quantizer } = await installExportTools(home);
  await writeTrained(runFolder(home, 'run-1'));
  const env = { OSLER_VENV: venv, PATH: `${path.dirname(quantizer)}:${process.env['PATH'] ?? ''}` };
  return { home, osler: (...words: string[]) => runOsler(['export', ...words], { home, env }) };
}

describe('osler export', () => {
  it('makes types beside those of the recipe, by the llama-quantize of PATH, and says how to use them', async () => {
    const { home, osler } = await homeWithTools();
    const result = await osler('run-1', '--type', 'Q4_K_M', '--type', 'f16');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toContain('▸ quantise the tuned model to GGUF q4_k_m');
    for (const name of ['merged-q8_0.gguf', 'merged-q4_k_m.gguf', 'merged-f16.gguf', 'adapter-f32.gguf']) {
      expect(result.stdout).toMatch(new RegExp(`^${name}  [\\d.]+ kB  sha256 [0-9a-f]{64}$`, 'm'));
      expect(existsSync(path.join(home, 'runs/run-1', name))).toBe(true);
    }
    expect(result.stdout).toContain('ollama create NAME -f Modelfile');
    const again = await osler('run-1', '--json');
    expect(RunExport.parse(JSON.parse(again.stdout)).ggufs.map(({ type }) => type)).toEqual(['q8_0', 'q4_k_m', 'f16']);
    expect(again.stderr).toBe('');
  });

  it.each([
    [['run-1', '--type', 'q3_k'], 'Choose from: f32, f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m.'],
    [['run-9'], 'There is no run "run-9"'],
    [['run-2'], 'only a run that is done can be exported'],
  ])('refuses %j in one line', async (words, told) => {
    const { osler } = await homeWithTools();
    const result = await osler(...words);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain(told);
    expect(result.stderr).not.toMatch(/^ +at /m);
  });

  it('leaves a run alone that another process works on', async () => {
    const { home, osler } = await homeWithTools();
    const unlock = tryLockFolder(path.join(home, 'runs/run-1'));
    const result = await osler('run-1');
    unlock?.();
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain('another osler process works on it');
  });
});
