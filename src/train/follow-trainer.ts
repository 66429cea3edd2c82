import type { TrainEvent } from '../core/schema/train-event.ts';
import { followEvents } from './event-file.ts';
import type { TrainedArtifact } from './launchers/launcher.ts';
import { NoiseLog } from './noise-log.ts';
import type { RunFolder } from './run-folder.ts';
import type { TrainerLink } from './trainer-link.ts';
import type { TrainerPulse } from './trainer-pulse.ts';
import type { TrainingTimes } from './training-times.ts';

/** A trainer's last word. */
export type TrainerEnd = Extract<TrainEvent, { type: 'finished' | 'stopped' | 'failed' }>;

/** How one try of a training ended, as far as its events tell. */
export interface TrainerOutcome {
  /** null: it ended without one. */
  readonly end: TrainerEnd | null;
  /** Why it was killed, to end a sentence that begins with "the trainer"; null: it was not. */
  readonly ailment: string | null;
  /** Why its machine could not be reached any more; it may still run there. */
  readonly lost: string | null;
  readonly lastStep: { readonly step: number; readonly totalSteps: number } | null;
  readonly artifacts: readonly TrainedArtifact[];
  readonly noise: NoiseLog;
}

export interface FollowTrainerOptions {
  readonly link: TrainerLink;
  readonly pulse: TrainerPulse;
  readonly folder: RunFolder;
  /** Bytes of events that earlier tries wrote. */
  readonly fromBytes: number;
  readonly times: TrainingTimes;
  readonly onEvent: (event: TrainEvent) => void;
  /** Asks the trainer to save and stop. */
  readonly signal: AbortSignal;
  /** Whether nobody needs what it saves: then it is killed where it takes too long. */
  readonly isCancelled: () => boolean;
}

/** Reads what a trainer tells until it has ended, and ends one that is frozen. A trainer that is gone already is read to its last word. */
export async function followTrainer(options: FollowTrainerOptions): Promise<TrainerOutcome> {
  const { link, folder, times, signal } = options;
  const noise = new NoiseLog();
  const seen = new SeenEvents();
  let ailment: string | null = null;
  const hurry = (): void => link.hurry();
  signal.addEventListener('abort', hurry, { once: true });
  try {
    for await (const event of followEvents(folder.events, {
      fromBytes: options.fromBytes,
      pollMs: times.pollMs,
      onNoise: noise.add,
      isActive: async () => await link.isAlive(),
      onLook: async () => {
        const problem = await treat(options, seen);
        ailment ??= problem;
      },
    })) {
      seen.add(event);
      options.pulse.hear(event);
      options.onEvent(event);
    }
  } finally {
    signal.removeEventListener('abort', hurry);
  }
  return { ...seen.outcome(), ailment, lost: link.isLost ? link.problem : null, noise };
}

/** Passes on wishes, and kills a trainer that does not come to its end. Gives what ailed one that has frozen. */
async function treat(options: FollowTrainerOptions, seen: SeenEvents): Promise<string | null> {
  const { link, pulse, times } = options;
  if (link.isGone) return null;
  if (options.signal.aborted) await link.stop();
  const isLate = seen.endedMs > times.graceMs || (options.isCancelled() && link.stoppingMs > times.graceMs);
  if (seen.endedMs > 0) link.hurry();
  if (link.problem !== null) pulse.excuse();
  const problem = seen.endedMs > 0 ? null : pulse.problem();
  if (isLate || problem !== null) await link.kill();
  return problem;
}

/** What matters of the events of one try. */
class SeenEvents {
  readonly #artifacts: TrainedArtifact[] = [];
  #end: TrainerEnd | null = null;
  #endMs = 0;
  #lastStep: TrainerOutcome['lastStep'] = null;

  /** Milliseconds since the trainer's last word; 0: it has not spoken it. */
  get endedMs(): number {
    return this.#end === null ? 0 : performance.now() - this.#endMs;
  }

  add(event: TrainEvent): void {
    if (event.type === 'artifact') this.#artifacts.push(event);
    if (event.type === 'progress') this.#lastStep = { step: event.step, totalSteps: event.totalSteps };
    if (event.type !== 'finished' && event.type !== 'stopped' && event.type !== 'failed') return;
    this.#end = event;
    this.#endMs = performance.now();
  }

  outcome(): Pick<TrainerOutcome, 'end' | 'lastStep' | 'artifacts'> {
    return { end: this.#end, lastStep: this.#lastStep, artifacts: this.#artifacts };
  }
}
