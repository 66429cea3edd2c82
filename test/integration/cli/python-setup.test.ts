import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { type CliResult, runOsler } from '../support/cli.ts';

// A copy of the package without a .venv, as after a fresh clone: the real one is not touched.
let root = '';
let home = '';
let base = '';

beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'osler-fresh-'));
  for (const name of ['bin', 'src', 'models', 'data', 'python', 'benchmarks', 'package.json'])
    await cp(path.join(packageRoot, name), path.join(root, name), {
      recursive: true,
      filter: (file) => !/\/(?:__pycache__|tests|\.[a-z]+_cache)$/.test(file),
    });
  await symlink(path.join(packageRoot, 'node_modules'), path.join(root, 'node_modules'));
  base = path.join(root, 'base');
  await mkdir(base);
  await writeFile(path.join(base, 'config.json'), '{}');
});
beforeEach(async () => {
  home = path.join(root, `home-${Math.random().toString(36).slice(2)}`);
  await mkdir(home);
  await rm(path.join(root, '.venv'), { recursive: true, force: true });
});
afterAll(async () => await rm(root, { recursive: true, force: true }));

async function train(python: string): Promise<CliResult> {
  return await runOsler(['train', '--base', base], { home, root, env: { OSLER_PYTHON: python } });
}

async function fakePython(script: string): Promise<string> {
  const file = path.join(home, 'python3');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

function expectPrerequisite(result: CliResult, code: string): void {
  expect(result.exitCode, result.stderr).toBe(3);
  expect(result.stderr).toContain(`[${code}]`);
  expect(result.stderr).not.toMatch(/^ +at |unexpected failure/m);
  expect(result.stdout).toBe('');
}

describe('osler train without a usable Python', () => {
  it('says that there is none and how to get one', async () => {
    const result = await train('/nonexistent/python3');
    expectPrerequisite(result, 'OSLER_ERR_PYTHON_MISSING');
    expect(result.stderr).toContain('/nonexistent/python3');
    expect(result.stderr).toContain('apt-get install python3 python3-venv');
    expect(existsSync(path.join(root, '.venv'))).toBe(false);
    // It is found out before there is a run.
    const runs = await runOsler(['runs'], { home, root });
    expect(runs.stdout).toContain('No runs yet');
  });

  it('says which version it found where that is too old', async () => {
    const result = await train(await fakePython('echo 3.8'));
    expectPrerequisite(result, 'OSLER_ERR_PYTHON_MISSING');
    expect(result.stderr).toContain('is 3.8');
    expect(existsSync(path.join(root, '.venv'))).toBe(false);
  });

  it('shows what pip said where the packages cannot be installed, and goes on from there the next time', async () => {
    const log = path.join(home, 'calls');
    // Stands for both: the interpreter that makes the environment, and the one inside it, whose pip fails.
    const python = await fakePython(
      `echo "$*" >> '${log}'
case "$*" in
  *'-m venv'*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *'-m pip'*) echo 'No space left on device' >&2; exit 1 ;;
  *) echo 3.11 ;;
esac`,
    );
    const result = await train(python);
    expectPrerequisite(result, 'OSLER_ERR_PYTHON_SETUP');
    expect(result.stderr).toContain('No space left on device');
    expect(result.stderr).toContain('run the same command again');
    expectPrerequisite(await train(python), 'OSLER_ERR_PYTHON_SETUP');
    const calls = (await readFile(log, 'utf8')).trim().split('\n');
    // venv is asked again each time, and keeps what is there: one that was broken off may lack pip.
    expect(calls.filter((call) => call.startsWith('-m venv'))).toHaveLength(2);
    expect(calls.filter((call) => call.includes('-m pip install'))).toHaveLength(2);
  });
});
