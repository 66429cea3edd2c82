import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Each entry moves the database one version on; entries are never changed once released. */
const migrations: readonly string[] = [
  `CREATE TABLE runs (
     id TEXT PRIMARY KEY,
     state TEXT NOT NULL,
     recipe TEXT NOT NULL,
     error TEXT,
     trainer TEXT,
     idempotency_key TEXT UNIQUE,
     created_at TEXT NOT NULL,
     updated_at TEXT NOT NULL
   ) STRICT;
   CREATE TABLE models (
     id TEXT PRIMARY KEY,
     run_id TEXT,
     base_ref TEXT,
     transformers_dir TEXT,
     gguf_file TEXT,
     gguf_sha256 TEXT,
     template_file TEXT,
     status TEXT NOT NULL,
     created_at TEXT NOT NULL
   ) STRICT;`,
];

/** Opens the project's one SQLite file in WAL mode and migrates it; `:memory:` for tests. */
export function openStore(home: string): DatabaseSync {
  const file = home === ':memory:' ? home : path.join(home, 'osler.sqlite');
  if (file !== ':memory:') mkdirSync(home, { recursive: true });
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;');
  migrate(database);
  return database;
}

function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const row = database.prepare('PRAGMA user_version').get();
    const version = Number(row?.['user_version'] ?? 0);
    for (const migration of migrations.slice(version)) database.exec(migration);
    // A newer release's number stays, or its next start would migrate what is migrated already.
    database.exec(`PRAGMA user_version = ${Math.max(version, migrations.length)}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
