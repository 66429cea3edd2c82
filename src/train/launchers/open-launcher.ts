import type { Config } from '../../core/config.ts';
import { OSLER_ERR_USAGE } from '../../core/errors.ts';
import { ensurePython } from '../python-environment.ts';
import type { Launcher } from './launcher.ts';
import { LocalLauncher } from './local-launcher.ts';

/** Opens a launcher by name. Throws OSLER_ERR_USAGE for a name that is not known. */
export async function openLauncher(name: string, config: Config): Promise<Launcher> {
  if (name !== 'local') throw new OSLER_ERR_USAGE(`There is no launcher "${name}". There is: local.`);
  return new LocalLauncher({
    python: async ({ onStep, signal }) =>
      await ensurePython({ python: config.python, venv: config.venv, ...(onStep && { onStep }), signal }),
  });
}
