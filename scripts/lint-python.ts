/** Runs ruff over all Python, and mypy --strict over the trainer. */
import path from 'node:path';
import { execa } from 'execa';
import { readConfig } from '../src/core/config.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { ensurePython } from '../src/train/python-environment.ts';
import { ensurePythonDevTools } from './python-dev-tools.ts';

const report = (step: string): void => console.log(`▸ ${step}`);
const python = await ensurePython({ python: readConfig().python, onStep: report });
await ensurePythonDevTools(python, report);
/** Python outside the trainer's package. */
const others = ['../benchmarks/train', '../scripts/gpu'];
for (const words of [
  ['-m', 'ruff', 'check', '--config', 'pyproject.toml', '.', ...others],
  ['-m', 'ruff', 'format', '--config', 'pyproject.toml', '--check', '.', ...others],
  ['-m', 'mypy', '--strict', 'osler_trainer'],
]) {
  const result = await execa(python, words, { cwd: path.join(packageRoot, 'python'), stdio: 'inherit', reject: false });
  if (result.exitCode !== 0) process.exitCode = 1;
}
