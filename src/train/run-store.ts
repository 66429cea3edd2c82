import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { OSLER_ERR_NOT_FOUND } from '../core/errors.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { Run, RunState, type TrainerHandle } from '../core/schema/run.ts';
import { RunSlots } from './run-slots.ts';

/** Where and how a run is trained, beside its recipe. */
export interface AddOptions {
  /** Its name; default: this machine. */
  readonly launcher?: string | undefined;
  readonly isDryRun?: boolean | undefined;
}

/** What other processes ask of the one that works on a run. */
export type RunWish = 'cancel' | 'stop' | null;

const rows = `SELECT *, CASE WHEN state = 'queued' THEN (
    SELECT count(*) FROM runs AS other
    WHERE other.launcher = runs.launcher AND other.state = 'queued' AND (other.queued_at, other.rowid) < (runs.queued_at, runs.rowid)
  ) END AS runs_before FROM runs`;

/**
 * The trainings of this home, in the store. Several processes change them at once: `done` and `cancelled` are final, and no
 * other state is ever written over them.
 */
export class RunStore {
  /** Who trains now, and who waits. */
  readonly slots: RunSlots;
  readonly #database: DatabaseSync;
  readonly #clock: Clock;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.slots = new RunSlots(database, clock);
  }

  /** Adds a run, or gives the one that was added with the same idempotency key. */
  add(id: string, recipe: Recipe, idempotencyKey: string | null, options: AddOptions = {}): { run: Run; isNew: boolean } {
    const { launcher = 'local', isDryRun = false } = options;
    const now = this.#now();
    const result = this.#database
      .prepare(
        `INSERT INTO runs (id, state, recipe, launcher, is_dry_run, idempotency_key, created_at, queued_at, updated_at)
         VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key) DO NOTHING`,
      )
      .run(id, JSON.stringify(recipe), launcher, Number(isDryRun), idempotencyKey, now, now, now);
    if (Number(result.changes) === 1) return { run: this.get(id), isNew: true };
    const run = idempotencyKey === null ? undefined : this.findByKey(idempotencyKey);
    if (run === undefined) throw new OSLER_ERR_NOT_FOUND('run', id);
    return { run, isNew: false };
  }

  /** The run that was added with an idempotency key, or undefined. */
  findByKey(idempotencyKey: string): Run | undefined {
    const row = this.#database.prepare(`${rows} WHERE idempotency_key = ?`).get(idempotencyKey);
    return row === undefined ? undefined : runOf(row);
  }

  /** Throws OSLER_ERR_NOT_FOUND. */
  get(id: string): Run {
    return runOf(this.#found(this.#database.prepare(`${rows} WHERE id = ?`).get(id), id));
  }

  /** Newest first. */
  list(): Run[] {
    return this.#database.prepare(`${rows} ORDER BY created_at DESC, rowid DESC`).all().map(runOf);
  }

  /** Says where a run is now; false where it is done or cancelled already, and stays so. */
  setState(id: string, state: RunState, error: string | null = null): boolean {
    const from = RunState.options.filter((option) => option !== 'done' && option !== 'cancelled');
    return this.moveState(id, from, state, error);
  }

  /** Moves a run on from one of some states; false where it is in none of them. */
  moveState(id: string, from: readonly RunState[], to: RunState, error: string | null = null): boolean {
    const result = this.#database
      .prepare(`UPDATE runs SET state = ?, error = ?, updated_at = ? WHERE id = ? AND state IN (SELECT value FROM json_each(?))`)
      .run(to, error, this.#now(), id, JSON.stringify(from));
    return Number(result.changes) === 1;
  }

  /** Puts a run that failed or was stopped at the end of the queue; false where it is in another state. */
  requeue(id: string): boolean {
    const now = this.#now();
    const result = this.#database
      .prepare(
        `UPDATE runs SET state = 'queued', error = NULL, is_stop_wanted = 0, queued_at = ?, updated_at = ? WHERE id = ? AND state IN ('failed', 'stopped')`,
      )
      .run(now, now, id);
    return Number(result.changes) === 1;
  }

  /** Asks whoever works on a run to stop it and save, or takes that back. */
  wantStop(id: string, isWanted = true): void {
    this.#database.prepare('UPDATE runs SET is_stop_wanted = ? WHERE id = ?').run(Number(isWanted), id);
  }

  /** What is asked of whoever works on a run. Throws OSLER_ERR_NOT_FOUND. */
  wishOf(id: string): RunWish {
    const row = this.#found(this.#database.prepare('SELECT state, is_stop_wanted FROM runs WHERE id = ?').get(id), id);
    if (row['state'] === 'cancelled') return 'cancel';
    return row['is_stop_wanted'] === 1 ? 'stop' : null;
  }

  /** Keeps where the trainer is, until all is here that it made; null: there is none any more. */
  setTrainer(id: string, trainer: TrainerHandle | null): void {
    this.#database
      .prepare('UPDATE runs SET trainer = ?, updated_at = ? WHERE id = ?')
      .run(trainer === null ? null : JSON.stringify(trainer), this.#now(), id);
  }

  /** Where the events of the last try begin, in bytes: those before are of earlier ones. */
  eventsFrom(id: string): number {
    const row = this.#found(this.#database.prepare('SELECT events_from FROM runs WHERE id = ?').get(id), id);
    return Number(row['events_from']);
  }

  setEventsFrom(id: string, bytes: number): void {
    this.#database.prepare('UPDATE runs SET events_from = ? WHERE id = ?').run(bytes, id);
  }

  /** Does all of some changes to the store, or none where one throws. */
  inTransaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself where the disk was full.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Forgets a run; its files stay. */
  delete(id: string): void {
    this.#database.prepare('DELETE FROM runs WHERE id = ?').run(id);
  }

  #now(): string {
    return this.#clock.now().toISOString();
  }

  #found(row: Record<string, unknown> | undefined, id: string): Record<string, unknown> {
    if (row === undefined) throw new OSLER_ERR_NOT_FOUND('run', id);
    return row;
  }
}

function runOf(row: Record<string, unknown>): Run {
  return Run.parse({
    id: row['id'],
    state: row['state'],
    recipe: JSON.parse(String(row['recipe'])),
    launcher: row['launcher'],
    isDryRun: row['is_dry_run'] === 1,
    runsBefore: row['runs_before'],
    error: row['error'],
    trainer: typeof row['trainer'] === 'string' ? JSON.parse(row['trainer']) : null,
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
  });
}
