import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runOsler } from '../support/cli.ts';

let home = '';
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'osler-doctor-'));
});
afterEach(async () => await rm(home, { recursive: true, force: true }));

describe.runIf(process.platform === 'linux')('osler doctor', () => {
  it('ends with 3 where no engine can run, and says what to do', async () => {
    const result = await runOsler(['doctor'], { home, env: { OSLER_GPU: 'metal' } });
    expect(result.exitCode, result.stderr).toBe(3);
    expect(result.stdout).toMatch(/^ok {4}Node +24\./m);
    expect(result.stdout).toMatch(/^FAIL {2}Engine +no backend decodes here/m);
    expect(result.stdout).toContain('mend it: unset OSLER_GPU');
  });

  it('gives the same as JSON', async () => {
    const result = await runOsler(['doctor', '--json'], { home, env: { OSLER_GPU: 'metal' } });
    expect(result.exitCode).toBe(3);
    expect(JSON.parse(result.stdout)).toMatchObject({ engine: null, outcomes: [] });
  });
});

describe('osler engine build', () => {
  it('names every tool that is missing and the command that installs them, before it does anything', async () => {
    const result = await runOsler(['engine', 'build', '--gpu', 'cuda', '--force'], { home, env: { PATH: home, CUDACXX: '' } });
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toContain('[OSLER_ERR_TOOL_MISSING]');
    for (const name of ['cmake', 'ninja or make', 'c++', 'npm']) expect(result.stderr).toContain(name);
    expect(result.stderr).toContain('On Debian: apt-get install cmake ninja-build g++ npm');
  });

  it('names one tool alone', async () => {
    for (const name of ['cmake', 'make', 'g++', 'git']) {
      await writeFile(path.join(home, name), '#!/bin/sh\nexit 0\n');
      await chmod(path.join(home, name), 0o755);
    }
    await symlink('/bin/sh', path.join(home, 'sh'));
    const result = await runOsler(['engine', 'build', '--gpu', 'off', '--force'], { home, env: { PATH: home } });
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toMatch(/"npm" is needed to compile the engine\. On Debian: apt-get install npm\. \[OSLER_ERR_TOOL_MISSING\]$/);
  });

  it.each([
    [['--gpu', 'rocm'], 'Allowed choices are cuda, metal, vulkan, off'],
    [['--jobs', '0'], 'a whole number of 1 or more is wanted'],
    [['--cuda-architectures', 'hopper'], 'such as 90 or 80;90'],
    [['--cuda-architectures', '90; rm'], 'such as 90 or 80;90'],
  ])('ends with 2 on %s', async (words, message) => {
    const result = await runOsler(['engine', 'build', ...words], { home });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(message);
  });
});
