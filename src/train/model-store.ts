import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';

/** A model that a run of this home made. */
export const StoredModel = z.strictObject({
  id: z.string(),
  runId: z.string().nullable(),
  baseRef: z.string().nullable(),
  transformersDir: z.string().nullable(),
  ggufFile: z.string().nullable(),
  ggufSha256: z.string().nullable(),
  templateFile: z.string().nullable(),
  status: z.enum(['candidate', 'promoted', 'rejected']),
  createdAt: z.iso.datetime(),
});
export type StoredModel = z.infer<typeof StoredModel>;

/** One time that a model was promoted. */
export const Promotion = z.strictObject({
  modelId: z.string(),
  at: z.iso.datetime(),
  actor: z.string().describe('who did it'),
  forcedReason: z.string().nullable().describe('why it was promoted against its gates; null: they had nothing against it'),
  problems: z.array(z.string()).describe('what the gates had against it'),
});
export type Promotion = z.infer<typeof Promotion>;

/** The registry of this home: what its runs made. */
export class ModelStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  put(model: StoredModel): void {
    this.#database
      .prepare(
        'INSERT OR REPLACE INTO models (id, run_id, base_ref, transformers_dir, gguf_file, gguf_sha256, template_file, status, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        model.id,
        model.runId,
        model.baseRef,
        model.transformersDir,
        model.ggufFile,
        model.ggufSha256,
        model.templateFile,
        model.status,
        model.createdAt,
      );
  }

  find(id: string): StoredModel | undefined {
    const row = this.#database.prepare('SELECT * FROM models WHERE id = ?').get(id);
    return row === undefined ? undefined : modelOf(row);
  }

  list(): StoredModel[] {
    return this.#database.prepare('SELECT * FROM models ORDER BY created_at DESC').all().map(modelOf);
  }

  /** The model that the name `tuned` stands for; undefined where none is promoted. */
  findPromoted(): StoredModel | undefined {
    return this.list().find((model) => model.status === 'promoted');
  }

  /** Makes a model the promoted one, the former one a candidate again, and records it. */
  promote(promotion: Promotion): void {
    const { modelId, at, actor, forcedReason, problems } = promotion;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      this.#database.prepare(`UPDATE models SET status = 'candidate' WHERE status = 'promoted'`).run();
      this.#database.prepare(`UPDATE models SET status = 'promoted' WHERE id = ?`).run(modelId);
      this.#database
        .prepare('INSERT INTO promotions (model_id, at, actor, forced_reason, problems) VALUES (?, ?, ?, ?, ?)')
        .run(modelId, at, actor, forcedReason, JSON.stringify(problems));
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Every promotion of this home, newest first. */
  listPromotions(): Promotion[] {
    return this.#database
      .prepare('SELECT * FROM promotions ORDER BY id DESC')
      .all()
      .map((row) =>
        Promotion.parse({
          modelId: row['model_id'],
          at: row['at'],
          actor: row['actor'],
          forcedReason: row['forced_reason'],
          problems: JSON.parse(String(row['problems'])),
        }),
      );
  }

  /** What a run made. */
  listOfRun(runId: string): StoredModel[] {
    return this.list().filter((model) => model.runId === runId);
  }

  /** Models with a file that is not there. */
  listWithoutFiles(): StoredModel[] {
    return this.list().filter((model) => filesOf(model).some((file) => !existsSync(file)));
  }

  /** Forgets models; their files stay. */
  deleteOfRun(runId: string): void {
    this.#database.prepare('DELETE FROM models WHERE run_id = ?').run(runId);
  }

  /** Makes paths below one folder paths below another, for a home that was moved. */
  moveFiles(from: string, to: string): void {
    const moved = (file: string | null): string | null =>
      file?.startsWith(`${from}${path.sep}`) === true ? path.join(to, file.slice(from.length + 1)) : file;
    for (const model of this.list()) {
      const { transformersDir, ggufFile, templateFile } = model;
      this.put({ ...model, transformersDir: moved(transformersDir), ggufFile: moved(ggufFile), templateFile: moved(templateFile) });
    }
  }
}

function filesOf(model: StoredModel): string[] {
  return [model.transformersDir, model.ggufFile, model.templateFile].filter((file) => file !== null);
}

function modelOf(row: Record<string, unknown>): StoredModel {
  return StoredModel.parse({
    id: row['id'],
    runId: row['run_id'],
    baseRef: row['base_ref'],
    transformersDir: row['transformers_dir'],
    ggufFile: row['gguf_file'],
    ggufSha256: row['gguf_sha256'],
    templateFile: row['template_file'],
    status: row['status'],
    createdAt: row['created_at'],
  });
}
