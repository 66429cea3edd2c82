/**
 * Lets one at a time compute. Two contexts on a CPU that decode together would fight for the same cores, and their
 * spinning threads make both many times slower; a GPU overlaps them well, so it needs no turns.
 */
export class TurnTaking {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` once everyone who asked before is done. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
