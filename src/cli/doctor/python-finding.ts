import { messageOf } from '../../core/errors.ts';
import type { Config } from '../../core/config.ts';
import { findPython, isPythonReady } from '../../train/python-environment.ts';
import type { Finding } from './finding.ts';

/** The trainer's environment. Serving and evaluating do without it. */
export async function pythonFinding(config: Pick<Config, 'python' | 'venv'>): Promise<Finding> {
  if (await isPythonReady(config.venv)) return { title: 'Python', level: 'ok', text: 'the environment for training is ready', mend: null };
  try {
    const python = await findPython(config.python);
    return { title: 'Python', level: 'note', text: `the first training makes its environment, with "${python}"; about 1.5 GB`, mend: null };
  } catch (error) {
    return { title: 'Python', level: 'warning', text: messageOf(error), mend: 'apt-get install python3 python3-venv, or set OSLER_PYTHON' };
  }
}
