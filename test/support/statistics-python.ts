import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../../src/core/atomic-file.ts';
import { readConfig } from '../../src/core/config.ts';
import { sha256 } from '../../src/core/digest.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { findPython } from '../../src/train/python-environment.ts';

const requirements = path.join(packageRoot, 'python/requirements-statistics.txt');
const folder = path.join(packageRoot, '.venv-statistics');
const marker = path.join(folder, 'osler-requirements.sha256');

/** The Python that has scipy and statsmodels. */
export const statisticsPython = path.join(folder, 'bin/python');

/** Makes the environment with scipy and statsmodels, once; gives why that cannot be done here, or undefined. */
export async function whyNoStatisticsPython(): Promise<string | undefined> {
  const wanted = sha256(await readFile(requirements));
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return undefined;
  const found = await findPython(readConfig().python).catch((error: unknown) => error);
  if (typeof found !== 'string') return `there is no Python: ${String(found)}`;
  const made = await execa(found, ['-m', 'venv', '--clear', folder], { reject: false });
  if (made.exitCode !== 0) return `an environment cannot be made: ${lastLine(made.stderr)}`;
  const words = ['install', '--quiet', '--no-compile', '--disable-pip-version-check', '-r', requirements];
  const installed = await execa(statisticsPython, ['-m', 'pip', ...words], { reject: false });
  if (installed.exitCode !== 0) return `scipy and statsmodels cannot be installed: ${lastLine(installed.stderr)}`;
  await writeFileAtomically(marker, wanted);
  return undefined;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
