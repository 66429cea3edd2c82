import { systemFailureOf } from '../core/system-failure.ts';
import { messageOf } from '../core/errors.ts';
import { listOldCaches } from '../core/old-caches.ts';
import type { Removable, RemovableKind } from '../core/removable.ts';
import { listEvaluationTexts } from '../eval/evaluation-texts.ts';
import { listOldCheckpoints, listOldRuns } from '../train/old-runs.ts';
import type { TellNotice } from '../train/run-notices.ts';
import type { CliContext } from './context.ts';

const dayMs = 24 * 3600 * 1000;
/** What may be about people: caches are not. */
const retained: readonly RemovableKind[] = ['samples', 'runs', 'checkpoints'];

/** Where the retention tells what it did; an id and a size, never contents. Fastify's log is one. */
export interface RetentionLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
}

type RetentionContext = Pick<CliContext, 'config' | 'clock' | 'runs' | 'models' | 'launcher'>;

/**
 * What of these kinds was last used before a moment. Checkpoints of a run that goes as a whole are not listed beside it.
 *
 * @param onNotice told, as an item is removed, what of it stays on another machine
 */
export async function listRemovable(
  context: RetentionContext,
  kinds: readonly RemovableKind[],
  before: Date,
  onNotice?: TellNotice,
): Promise<Removable[]> {
  const { home } = context.config;
  const deps = { home, runs: context.runs, models: context.models, launcher: context.launcher, onNotice };
  const caches = kinds.includes('caches') ? await listOldCaches(home, before) : [];
  const samples = kinds.includes('samples') ? await listEvaluationTexts(home, before, context.clock.now()) : [];
  const runs = kinds.includes('runs') ? await listOldRuns(deps, before) : [];
  const checkpoints = kinds.includes('checkpoints') ? await listOldCheckpoints(deps, before) : [];
  const whole = new Set(runs.map((item) => item.name));
  return [...caches, ...samples, ...checkpoints.filter((item) => !whole.has(item.name)), ...runs];
}

/** Removes what is older than OSLER_RETENTION_DAYS; nothing where that is not set. What cannot be removed is logged and left. */
export async function applyRetention(context: RetentionContext, log: RetentionLog): Promise<void> {
  const { retentionDays } = context.config;
  if (retentionDays === null) return;
  const before = new Date(context.clock.now().getTime() - retentionDays * dayMs);
  const onNotice = (reason: string): void => log.warn({ reason }, 'retention could not remove a copy');
  for (const item of await listRemovable(context, retained, before, onNotice)) {
    const about = { kind: item.kind, name: item.name, bytes: item.bytes };
    try {
      await item.remove();
      log.info(about, 'removed by retention');
    } catch (error) {
      log.warn({ ...about, reason: messageOf(systemFailureOf(error)) }, 'retention could not remove it');
    }
  }
}

/** Applies the retention now and every day until stopped; without OSLER_RETENTION_DAYS it does nothing. */
export function startRetention(context: RetentionContext, log: RetentionLog): { stop(): void } {
  if (context.config.retentionDays === null) return { stop: () => undefined };
  let isBusy = false;
  const apply = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    await applyRetention(context, log)
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'retention failed'))
      .finally(() => (isBusy = false));
  };
  void apply();
  const timer = setInterval(() => void apply(), dayMs).unref();
  return { stop: () => clearInterval(timer) };
}
