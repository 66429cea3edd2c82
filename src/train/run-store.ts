import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { OSLER_ERR_NOT_FOUND } from '../core/errors.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { Run, type RunState, type TrainerHandle } from '../core/schema/run.ts';

/** The trainings of this home, in the store. */
export class RunStore {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Adds a run, or gives the one that was added with the same idempotency key. */
  add(id: string, recipe: Recipe, idempotencyKey: string | null, launcher = 'local'): { run: Run; isNew: boolean } {
    const now = this.#clock.now().toISOString();
    const result = this.#database
      .prepare(
        `INSERT INTO runs (id, state, recipe, launcher, idempotency_key, created_at, updated_at) VALUES (?, 'queued', ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key) DO NOTHING`,
      )
      .run(id, JSON.stringify(recipe), launcher, idempotencyKey, now, now);
    if (Number(result.changes) === 1) return { run: this.get(id), isNew: true };
    const row = this.#database.prepare('SELECT id FROM runs WHERE idempotency_key = ?').get(idempotencyKey);
    return { run: this.get(String(row?.['id'])), isNew: false };
  }

  /** Throws OSLER_ERR_NOT_FOUND. */
  get(id: string): Run {
    const row = this.#database.prepare('SELECT * FROM runs WHERE id = ?').get(id);
    if (row === undefined) throw new OSLER_ERR_NOT_FOUND('run', id);
    return runOf(row);
  }

  /** Newest first. */
  list(): Run[] {
    return this.#database.prepare('SELECT * FROM runs ORDER BY created_at DESC, id DESC').all().map(runOf);
  }

  setState(id: string, state: RunState, error: string | null = null): void {
    this.#database
      .prepare('UPDATE runs SET state = ?, error = ?, updated_at = ? WHERE id = ?')
      .run(state, error, this.#clock.now().toISOString(), id);
  }

  /** Forgets a run; its files stay. */
  delete(id: string): void {
    this.#database.prepare('DELETE FROM runs WHERE id = ?').run(id);
  }

  setTrainer(id: string, trainer: TrainerHandle | null): void {
    this.#database
      .prepare('UPDATE runs SET trainer = ?, updated_at = ? WHERE id = ?')
      .run(trainer === null ? null : JSON.stringify(trainer), this.#clock.now().toISOString(), id);
  }
}

function runOf(row: Record<string, unknown>): Run {
  return Run.parse({
    id: row['id'],
    state: row['state'],
    recipe: JSON.parse(String(row['recipe'])),
    launcher: row['launcher'],
    error: row['error'],
    trainer: typeof row['trainer'] === 'string' ? JSON.parse(row['trainer']) : null,
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
  });
}
