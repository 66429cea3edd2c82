import { setTimeout as pause } from 'node:timers/promises';
import { cpuSeconds } from './process-tree.ts';
import type { RunningServer } from './server-process.ts';

const watchMs = 2000;
/** More than that would take noticeable time from the server that is being measured. */
const busyCores = 0.05;

/** Cores that a loaded server uses while nobody asks it for anything. */
export interface IdleUse {
  readonly cores: number;
  readonly isBusy: boolean;
}

/** Watches an idle server for two seconds. Both are loaded throughout, so one that spins would slow the other. */
export async function watchIdle(server: RunningServer): Promise<IdleUse> {
  const [before, startMs] = [await cpuSeconds(server.pid), performance.now()];
  await pause(watchMs);
  const cores = ((await cpuSeconds(server.pid)) - before) / ((performance.now() - startMs) / 1000);
  return { cores, isBusy: cores > busyCores };
}
