import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensurePython } from '../../../src/train/python-environment.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A folder that looks like an environment, with what its marker says. */
function environment(marker: string | null): string {
  const venv = path.join(temporaryFolder(), 'cache/venv');
  mkdirSync(path.join(venv, 'bin'), { recursive: true });
  writeFileSync(path.join(venv, 'bin/python'), '');
  if (marker !== null) writeFileSync(path.join(venv, 'osler-requirements.sha256'), marker);
  return venv;
}

const withoutPython = { python: '/nonexistent/python3' };

describe('ensurePython with a folder of its own', () => {
  it.each(['provided', 'provided\n'])('takes an environment that was provided as it is (%j)', async (marker) => {
    const venv = environment(marker);
    expect(await ensurePython({ ...withoutPython, venv })).toBe(path.join(venv, 'bin/python'));
    // It may lie in an image that nobody can write.
    expect(readdirSync(path.dirname(venv))).toEqual(['venv']);
  });

  it.each([null, '', '0123'])('does not take one whose marker is %j', async (marker) => {
    const error = await errorOf(async () => await ensurePython({ ...withoutPython, venv: environment(marker) }));
    expect(error.code).toBe('OSLER_ERR_PYTHON_MISSING');
  });

  it('makes the folders around it, and keeps its lock there', async () => {
    const venv = path.join(temporaryFolder(), 'deep/venv');
    expect((await errorOf(async () => await ensurePython({ ...withoutPython, venv }))).code).toBe('OSLER_ERR_PYTHON_MISSING');
    expect(existsSync(venv)).toBe(false);
    expect(readdirSync(path.dirname(venv))).toEqual(['.osler-lock']);
  });
});
