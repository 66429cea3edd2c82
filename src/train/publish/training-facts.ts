import type { TrainEvent } from '../../core/schema/train-event.ts';

type EventOf<T extends TrainEvent['type']> = Extract<TrainEvent, { type: T }>;

/** What the trainer told of a run, as far as a card tells it; undefined: it did not say. */
export interface TrainingFacts {
  readonly started: EventOf<'started'> | undefined;
  readonly dataset: EventOf<'dataset'> | undefined;
  readonly firstLoss: EventOf<'progress'> | undefined;
  readonly lastLoss: EventOf<'progress'> | undefined;
  readonly heldOut: readonly EventOf<'heldOut'>[];
  readonly finished: EventOf<'finished'> | undefined;
}

/** Reads a run's events; of several tries the last one counts, but the losses begin with the first. */
export function gatherFacts(events: readonly TrainEvent[]): TrainingFacts {
  const all = <T extends TrainEvent['type']>(type: T): EventOf<T>[] => events.filter((event): event is EventOf<T> => event.type === type);
  const progress = all('progress');
  return {
    started: all('started').at(-1),
    dataset: all('dataset').at(-1),
    firstLoss: progress[0],
    lastLoss: progress.at(-1),
    heldOut: all('heldOut'),
    finished: all('finished').at(-1),
  };
}
