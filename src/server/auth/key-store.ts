import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '../../core/clock.ts';
import { OSLER_ERR_NOT_FOUND } from '../../core/errors.ts';
import { ApiKey, createSecret, digestOfSecret, isUsable, type Scope } from './api-key.ts';

/** The API keys of this home. Every question reads the store, so that a key made or revoked by another process counts at once. */
export class KeyStore {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #all: StatementSync;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#all = database.prepare('SELECT * FROM api_keys ORDER BY created_at DESC, id DESC');
  }

  /** Makes a key. This is the only time that its secret is there to see. */
  create(options: { name: string; scopes: readonly Scope[]; expiresAt: Date | null }): { key: ApiKey; secret: string } {
    const id = `key-${randomBytes(6).toString('hex')}`;
    const secret = createSecret();
    this.#database
      .prepare('INSERT INTO api_keys (id, name, digest, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)')
      .run(
        id,
        options.name,
        digestOfSecret(secret),
        [...new Set(options.scopes)].join(' '),
        this.#clock.now().toISOString(),
        options.expiresAt?.toISOString() ?? null,
      );
    return { key: this.get(id), secret };
  }

  /** Throws OSLER_ERR_NOT_FOUND. */
  get(id: string): ApiKey {
    const key = this.list().find((candidate) => candidate.id === id);
    if (key === undefined) throw new OSLER_ERR_NOT_FOUND('key', id);
    return key;
  }

  /** Newest first, revoked ones too. */
  list(): ApiKey[] {
    return this.#all.all().map(keyOf);
  }

  /** Ends a key for good; its row stays, to show that it was there. Throws OSLER_ERR_NOT_FOUND. */
  revoke(id: string): ApiKey {
    this.get(id);
    this.#database
      .prepare('UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?')
      .run(this.#clock.now().toISOString(), id);
    return this.get(id);
  }

  /** Whether a key was ever made. Revoked and expired ones count: the end of the last key must not open a server. */
  hasAny(): boolean {
    return this.#all.get() !== undefined;
  }

  /** Whether somebody holds a key that works now. */
  hasUsable(): boolean {
    const now = this.#clock.now();
    return this.list().some((key) => isUsable(key, now));
  }

  /** The usable key of a secret, or null. Every stored digest is compared, each in constant time, so that no answer is quicker. */
  find(secret: string): ApiKey | null {
    const digest = Buffer.from(digestOfSecret(secret));
    let found: Record<string, unknown> | null = null;
    for (const row of this.#all.all()) if (timingSafeEqual(Buffer.from(String(row['digest'])), digest)) found = row;
    if (found === null) return null;
    const key = keyOf(found);
    return isUsable(key, this.#clock.now()) ? key : null;
  }

  /** Notes the day of use. */
  noteUse(key: ApiKey): void {
    const today = this.#clock.now().toISOString().slice(0, 10);
    if (key.lastUsedOn !== today) this.#database.prepare('UPDATE api_keys SET last_used_on = ? WHERE id = ?').run(today, key.id);
  }
}

function keyOf(row: Record<string, unknown>): ApiKey {
  return ApiKey.parse({
    id: row['id'],
    name: row['name'],
    scopes: String(row['scopes']).split(' '),
    createdAt: row['created_at'],
    expiresAt: row['expires_at'],
    revokedAt: row['revoked_at'],
    lastUsedOn: row['last_used_on'],
  });
}
