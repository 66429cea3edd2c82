import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../../src/core/atomic-file.ts';
import { readConfig } from '../../src/core/config.ts';
import { sha256 } from '../../src/core/digest.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { findPython } from '../../src/train/python-environment.ts';

const requirements = path.join(packageRoot, 'python/requirements-conformance.txt');
const folder = path.join(packageRoot, '.venv-conformance');
const marker = path.join(folder, 'osler-requirements.sha256');

/** Makes the environment with llm-comply and schemathesis, once; gives the folder of their commands. */
export async function ensureConformanceTools(): Promise<string> {
  const commands = path.join(folder, 'bin');
  const wanted = sha256(await readFile(requirements));
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return commands;
  await execa(await findPython(readConfig().python), ['-m', 'venv', '--clear', folder]);
  const words = ['install', '--quiet', '--no-compile', '--disable-pip-version-check', '-r', requirements];
  await execa(path.join(commands, 'python'), ['-m', 'pip', ...words]);
  await writeFileAtomically(marker, wanted);
  return commands;
}
