import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { TrainerHandle } from '../core/schema/run.ts';

/** A run that has slots of its launcher: it is being prepared, trained or merged. */
export interface SlotHolder {
  readonly id: string;
  readonly trainer: TrainerHandle | null;
}

/**
 * Who has which slots of a launcher, and who waits for one. It is all in the store: a server and commands that share a home
 * share its GPUs too.
 */
export class RunSlots {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Gives a queued run the lowest free slots and makes it `preparing`, in one step.
   *
   * @param total slots of its launcher, numbered from 0
   * @returns their numbers; undefined where too few are free, or the run is not queued any more
   */
  take(id: string, needed: number, total: number): number[] | undefined {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const held = new Set(
        this.#database
          .prepare('SELECT slots FROM runs WHERE slots IS NOT NULL AND launcher = (SELECT launcher FROM runs WHERE id = ?)')
          .all(id)
          .flatMap((row) => numbersOf(row['slots'])),
      );
      const slots = Array.from({ length: total }, (_, slot) => slot)
        .filter((slot) => !held.has(slot))
        .slice(0, needed);
      const isTaken = slots.length === needed && this.#hold(id, slots);
      this.#database.exec('COMMIT');
      return isTaken ? slots : undefined;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  release(id: string): void {
    this.#database.prepare('UPDATE runs SET slots = NULL WHERE id = ?').run(id);
  }

  /** Puts a run whose trainer is gone back to where it was in the queue. */
  giveBack(id: string): void {
    const now = this.#clock.now().toISOString();
    this.#database
      .prepare(
        `UPDATE runs SET slots = NULL, trainer = NULL, state = CASE WHEN state IN ('done', 'cancelled') THEN state ELSE 'queued' END,
         updated_at = ? WHERE id = ?`,
      )
      .run(now, id);
  }

  /** Runs that have slots of a launcher. */
  holders(launcher: string): SlotHolder[] {
    return this.#database
      .prepare('SELECT id, trainer FROM runs WHERE launcher = ? AND slots IS NOT NULL')
      .all(launcher)
      .map((row) => ({
        id: String(row['id']),
        trainer: typeof row['trainer'] === 'string' ? TrainerHandle.parse(JSON.parse(row['trainer'])) : null,
      }));
  }

  /** Ids of the queued runs of the same launcher that were queued earlier, the earliest first. */
  queuedBefore(id: string): string[] {
    return this.#database
      .prepare(
        `SELECT other.id FROM runs AS other, runs AS own WHERE own.id = ? AND other.launcher = own.launcher AND other.state = 'queued'
         AND (other.queued_at, other.rowid) < (own.queued_at, own.rowid) ORDER BY other.queued_at, other.rowid`,
      )
      .all(id)
      .map((row) => String(row['id']));
  }

  #hold(id: string, slots: readonly number[]): boolean {
    const result = this.#database
      .prepare(`UPDATE runs SET slots = ?, state = 'preparing', error = NULL, updated_at = ? WHERE id = ? AND state = 'queued'`)
      .run(JSON.stringify(slots), this.#clock.now().toISOString(), id);
    return Number(result.changes) === 1;
  }
}

function numbersOf(text: unknown): number[] {
  const value: unknown = typeof text === 'string' ? JSON.parse(text) : [];
  return Array.isArray(value) ? value.map(Number) : [];
}
