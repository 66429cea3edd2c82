import { appendFileSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import type { RunFolder } from './run-folder.ts';

/** Told, on this side, of something that a run's user should know. */
export type TellNotice = (message: string) => void;

/** Gives what writes notices into a run's folder and hands them on as events. */
export function runNotices(folder: Pick<RunFolder, 'notices'>, clock: Clock, onEvent?: (event: TrainEvent) => void): TellNotice {
  return (message) => {
    const event: TrainEvent = { type: 'notice', at: clock.now().toISOString(), message };
    try {
      // At once, in order: whoever tells does not wait, and there are few.
      appendFileSync(folder.notices, `${JSON.stringify(event)}\n`);
    } catch {
      // A full disk ends the run where it matters.
    }
    onEvent?.(event);
  };
}
