/** Runs hadolint over the Dockerfile; it comes as a wheel, into .venv. */
import path from 'node:path';
import { execa } from 'execa';
import { readConfig } from '../src/core/config.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { ensurePython } from '../src/train/python-environment.ts';
import { ensurePythonDevTools } from './python-dev-tools.ts';

const report = (step: string): void => console.log(`▸ ${step}`);
const python = await ensurePython({ python: readConfig().python, onStep: report });
await ensurePythonDevTools(python, report);
const result = await execa(path.join(path.dirname(python), 'hadolint'), ['--no-color', path.join(packageRoot, 'Dockerfile')], {
  stdio: 'inherit',
  reject: false,
});
if (result.exitCode === undefined) console.error(result.message);
if (result.exitCode !== 0) process.exitCode = 1;
