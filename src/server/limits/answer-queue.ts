import type { Timings } from '../../engine/engine.ts';
import type { ServedModel } from '../served-model.ts';

/** Where nothing has been answered yet. */
const unknownSeconds = 5;
const maxSeconds = 60;
/** Weight of the newest answer in the running average: the last ten or so count. */
const newestWeight = 0.2;

/** One answer's place among those of its model. */
export interface Place {
  /** Whether the engine has no slot for it yet. */
  isWaiting(): boolean;
  /** Notes how long it had its slot. */
  finish(timings: Timings): void;
  leave(): void;
}

/** The answers of one model that are under way, in the order in which they came. */
class ModelQueue {
  readonly #model: ServedModel;
  readonly #places = new Set<symbol>();
  #slots = 1;
  #slotSeconds: number | null = null;

  constructor(model: ServedModel) {
    this.#model = model;
    model.engine.ready().then(
      (info) => (this.#slots = info.slots),
      // An engine that cannot be loaded has no queue.
      () => undefined,
    );
  }

  enter(): Place {
    const id = Symbol('place');
    this.#places.add(id);
    return {
      // Engines admit in the order of arrival, so those that wait are the youngest.
      isWaiting: () => [...this.#places].indexOf(id) >= this.#places.size - this.#model.engine.load.waiting,
      finish: ({ promptSeconds, generationSeconds }) => this.#note(promptSeconds + generationSeconds),
      leave: () => void this.#places.delete(id),
    };
  }

  /** Until the queue has moved through the slots, at the pace of the last answers. */
  retryAfterSeconds(): number {
    if (this.#slotSeconds === null) return unknownSeconds;
    const { waiting } = this.#model.engine.load;
    return Math.min(maxSeconds, Math.max(1, Math.ceil((this.#slotSeconds * waiting) / this.#slots)));
  }

  #note(seconds: number): void {
    this.#slotSeconds = this.#slotSeconds === null ? seconds : newestWeight * seconds + (1 - newestWeight) * this.#slotSeconds;
  }
}

/** Who waits for which model, and for how long a newcomer would. */
export class AnswerQueues {
  readonly #queues = new WeakMap<ServedModel, ModelQueue>();

  of(model: ServedModel): ModelQueue {
    let queue = this.#queues.get(model);
    if (queue === undefined) {
      queue = new ModelQueue(model);
      this.#queues.set(model, queue);
    }
    return queue;
  }
}
