import type { LauncherCheck } from '../../train/launchers/check-launcher.ts';
import type { Finding } from './finding.ts';

const levels: Record<LauncherCheck['level'], Finding['level']> = { ok: 'ok', limited: 'note', failure: 'failure' };

/** What a launcher would train on; what mends it stands in the text. */
export function launcherFinding({ name, level, text }: LauncherCheck): Finding {
  return { title: name, level: levels[level], text, mend: null };
}
