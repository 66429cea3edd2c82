import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../src/core/atomic-file.ts';
import { sha256 } from '../src/core/digest.ts';
import { packageRoot } from '../src/core/package-root.ts';
import type { ReportStep } from '../src/train/python-environment.ts';

const requirements = path.join(packageRoot, 'python/requirements-dev.txt');
const marker = path.join(packageRoot, '.venv/osler-requirements-dev.sha256');

/** Installs pytest, ruff, mypy and hadolint into .venv, once. */
export async function ensurePythonDevTools(python: string, onStep: ReportStep): Promise<void> {
  const wanted = sha256(await readFile(requirements));
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return;
  onStep('install pytest, ruff, mypy and hadolint');
  await execa(python, ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check', '-r', requirements], {
    stdio: 'inherit',
  });
  await writeFileAtomically(marker, wanted);
}
