import { OSLER_ERR_LAUNCHER_UNKNOWN } from '../../core/errors.ts';
import type { Launcher } from './launcher.ts';
import { launcherFilePath, readLaunchers } from './launcher-file.ts';
import { RayLauncher } from './ray-launcher.ts';
import { SshLauncher } from './ssh-launcher.ts';
import { trainerSecrets } from './trainer-secrets.ts';

export interface OpenRemoteLauncherDeps {
  /** OSLER_HOME, whose launchers.json describes other machines. */
  readonly home: string;
  /** Told of lost connections, and when they are back. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * A launcher of launchers.json by its name. Nothing is connected to yet.
 *
 * @throws OSLER_ERR_LAUNCHER_UNKNOWN naming those there are, OSLER_ERR_LAUNCHER_FILE
 */
export async function openRemoteLauncher(name: string, { home, onNotice }: OpenRemoteLauncherDeps): Promise<Launcher> {
  const described = await readLaunchers(home);
  const settings = Object.hasOwn(described, name) ? described[name] : undefined;
  if (settings === undefined)
    throw new OSLER_ERR_LAUNCHER_UNKNOWN(name, ['local', ...Object.keys(described)].join(', '), launcherFilePath(home));
  return settings.kind === 'ssh'
    ? new SshLauncher(name, settings, { home, onNotice, secrets: trainerSecrets() })
    : new RayLauncher(name, settings, { onNotice });
}
