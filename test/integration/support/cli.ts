import { execa } from 'execa';
import path from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';

export interface CliResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `osler` as a user does, in a process of its own; nothing of this process's settings reaches it. */
export async function runOsler(
  words: readonly string[],
  options: { home: string; cwd?: string; root?: string; env?: Record<string, string> },
): Promise<CliResult> {
  const root = options.root ?? packageRoot;
  const result = await execa(path.join(packageRoot, 'node_modules/.bin/node'), [path.join(root, 'bin/osler.js'), ...words], {
    cwd: options.cwd ?? options.home,
    env: { PATH: process.env['PATH'] ?? '', HOME: options.home, OSLER_HOME: options.home, CI: '1', OSLER_GPU: 'off', ...options.env },
    extendEnv: false,
    reject: false,
    timeout: 50_000,
  });
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
