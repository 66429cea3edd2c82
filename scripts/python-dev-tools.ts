import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../src/core/atomic-file.ts';
import { sha256 } from '../src/core/digest.ts';
import { packageRoot } from '../src/core/package-root.ts';
import type { ReportStep } from '../src/train/python-environment.ts';

const requirements = ['dev', 'trackers'].map((name) => path.join(packageRoot, `python/requirements-${name}.txt`));
const marker = path.join(packageRoot, '.venv/osler-requirements-dev.sha256');

/** Installs pytest, ruff, mypy, hadolint and the experiment trackers that tests write to into .venv, once. */
export async function ensurePythonDevTools(python: string, onStep: ReportStep): Promise<void> {
  const wanted = sha256((await Promise.all(requirements.map((file) => readFile(file, 'utf8')))).join('\n'));
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return;
  onStep('install pytest, ruff, mypy, hadolint and experiment trackers');
  const files = requirements.flatMap((file) => ['-r', file]);
  await execa(python, ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check', ...files], { stdio: 'inherit' });
  await writeFileAtomically(marker, wanted);
}
