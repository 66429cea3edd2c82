/** Each entry moves the database one version on, in a transaction of its own; entries are never changed once released. */
export const migrations: readonly string[] = [
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
  `CREATE TABLE api_keys (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     digest TEXT NOT NULL UNIQUE,
     scopes TEXT NOT NULL,
     created_at TEXT NOT NULL,
     expires_at TEXT,
     revoked_at TEXT,
     last_used_on TEXT
   ) STRICT;`,
  // Recipes of the first kind named one GGUF type and no split; trainers were local ones alone.
  `ALTER TABLE runs ADD COLUMN launcher TEXT NOT NULL DEFAULT 'local';
   UPDATE runs SET recipe = json_set(
     json_remove(recipe, '$.output.ggufType'),
     '$.output.ggufTypes', json_array(json_extract(recipe, '$.output.ggufType')),
     '$.output.adapterGguf', json('false'),
     '$.data.split', 'train',
     '$.data.heldOutSeed', NULL,
     '$.data.deduplicate', json('false'),
     '$.trainer.processes', 1
   ) WHERE json_extract(recipe, '$.output.ggufType') IS NOT NULL;
   UPDATE runs SET trainer = json_set(trainer, '$.kind', 'local') WHERE trainer IS NOT NULL;`,
  // Runs wait for a slot of their launcher, are asked to stop by other processes, and know where in their file of events the last try begins.
  `ALTER TABLE runs ADD COLUMN is_dry_run INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE runs ADD COLUMN is_stop_wanted INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE runs ADD COLUMN queued_at TEXT NOT NULL DEFAULT '';
   ALTER TABLE runs ADD COLUMN slots TEXT;
   ALTER TABLE runs ADD COLUMN events_from INTEGER NOT NULL DEFAULT 0;
   UPDATE runs SET queued_at = created_at;`,
  // Who promoted which model when, and why where a gate was passed over.
  `CREATE TABLE promotions (
     id INTEGER PRIMARY KEY,
     model_id TEXT NOT NULL,
     at TEXT NOT NULL,
     actor TEXT NOT NULL,
     forced_reason TEXT,
     problems TEXT NOT NULL
   ) STRICT;`,
];
