import type { Config } from '../../core/config.ts';
import { ensurePython } from '../python-environment.ts';
import type { Launcher } from './launcher.ts';
import { LocalLauncher } from './local-launcher.ts';
import { openRemoteLauncher } from './open-remote-launcher.ts';

/** Opens a launcher by name: `local`, or one of launchers.json. Throws OSLER_ERR_LAUNCHER_UNKNOWN, OSLER_ERR_LAUNCHER_FILE. */
export async function openLauncher(name: string, config: Config, onNotice?: (message: string) => void): Promise<Launcher> {
  if (name !== 'local') return await openRemoteLauncher(name, { home: config.home, onNotice });
  return new LocalLauncher({
    python: async ({ onStep, signal }) => await ensurePython({ python: config.python, venv: config.venv, onStep, signal }),
  });
}
