import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../src/core/clock.ts';
import { openStore } from '../../../../src/core/store.ts';
import { KeyStore } from '../../../../src/server/auth/key-store.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** A clock that a test sets. */
class TestClock implements Clock {
  at = new Date('2026-11-23T10:00:00.000Z');
  now(): Date {
    return this.at;
  }
  monotonicSeconds(): number {
    return this.at.getTime() / 1000;
  }
}

function newStore() {
  const clock = new TestClock();
  const database = openStore(':memory:');
  return { database, clock, keys: new KeyStore(database, clock) };
}

const chat = { name: 'ward', scopes: ['chat'], expiresAt: null } as const;

describe('KeyStore', () => {
  it('makes a key whose secret has 256 random bits, and finds it by that', () => {
    const { keys } = newStore();
    const { key, secret } = keys.create({ ...chat, scopes: ['evaluate', 'chat', 'chat'] });
    expect(secret).toMatch(/^osk_[\w-]{43}$/);
    expect(key).toEqual({
      id: expect.stringMatching(/^key-[0-9a-f]{12}$/),
      name: 'ward',
      scopes: ['evaluate', 'chat'],
      createdAt: '2026-11-23T10:00:00.000Z',
      expiresAt: null,
      revokedAt: null,
      lastUsedOn: null,
    });
    expect(keys.find(secret)).toEqual(key);
    expect(keys.create(chat).secret).not.toBe(secret);
  });

  it('finds the right one of several, and nothing for a secret that is off by a character', () => {
    const { keys } = newStore();
    const made = ['a', 'b', 'c'].map((name) => keys.create({ ...chat, name }));
    for (const { key, secret } of made) {
      expect(keys.find(secret)?.id).toBe(key.id);
      expect(keys.find(secret.slice(0, -1))).toBeNull();
      expect(keys.find(`${secret}x`)).toBeNull();
      expect(keys.find(secret.toLowerCase())).toBeNull();
    }
    expect(keys.find('')).toBeNull();
  });

  it('stores no secret, and no digest leaves it', () => {
    const { database, keys } = newStore();
    const { secret } = keys.create(chat);
    const rows = JSON.stringify(database.prepare('SELECT * FROM api_keys').all());
    expect(rows).not.toContain(secret);
    expect(rows).not.toContain(secret.slice(4, 20));
    const digest = String(database.prepare('SELECT digest FROM api_keys').get()?.['digest']);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(keys.list())).not.toContain(digest);
    // The digest itself opens nothing.
    expect(keys.find(digest)).toBeNull();
  });

  it('lists the newest first', () => {
    const { keys, clock } = newStore();
    keys.create({ ...chat, name: 'old' });
    clock.at = new Date('2026-11-24T10:00:00.000Z');
    keys.create({ ...chat, name: 'new' });
    expect(keys.list().map(({ name }) => name)).toEqual(['new', 'old']);
  });

  it('no longer finds a revoked key, keeps its row and the moment of the first revocation', () => {
    const { keys, clock } = newStore();
    const { key, secret } = keys.create(chat);
    expect(keys.revoke(key.id).revokedAt).toBe('2026-11-23T10:00:00.000Z');
    expect(keys.find(secret)).toBeNull();
    clock.at = new Date('2026-11-25T10:00:00.000Z');
    expect(keys.revoke(key.id).revokedAt).toBe('2026-11-23T10:00:00.000Z');
    expect(keys.list()).toHaveLength(1);
  });

  it('no longer finds a key from the moment on which it expires', () => {
    const { keys, clock } = newStore();
    const { secret } = keys.create({ ...chat, expiresAt: new Date('2026-11-24T10:00:00.000Z') });
    clock.at = new Date('2026-11-24T09:59:59.999Z');
    expect(keys.find(secret)).not.toBeNull();
    clock.at = new Date('2026-11-24T10:00:00.000Z');
    expect(keys.find(secret)).toBeNull();
  });

  it('tells whether there ever was a key, and whether one works now', () => {
    const { keys, clock } = newStore();
    expect([keys.hasAny(), keys.hasUsable()]).toEqual([false, false]);
    const { key } = keys.create(chat);
    expect([keys.hasAny(), keys.hasUsable()]).toEqual([true, true]);
    keys.revoke(key.id);
    expect([keys.hasAny(), keys.hasUsable()]).toEqual([true, false]);
    keys.create({ ...chat, expiresAt: new Date('2026-11-24T10:00:00.000Z') });
    expect(keys.hasUsable()).toBe(true);
    clock.at = new Date('2026-11-24T10:00:00.000Z');
    expect(keys.hasUsable()).toBe(false);
  });

  it('notes the day of the last use, and writes once a day', () => {
    const { database, keys, clock } = newStore();
    const { key, secret } = keys.create(chat);
    keys.noteUse(key);
    const used = keys.find(secret);
    expect(used?.lastUsedOn).toBe('2026-11-23');
    const changes = (): unknown => database.prepare('SELECT total_changes() AS count').get()?.['count'];
    const before = changes();
    clock.at = new Date('2026-11-23T23:59:00.000Z');
    if (used !== null) keys.noteUse(used);
    expect(changes()).toBe(before);
    clock.at = new Date('2026-11-24T00:00:00.000Z');
    if (used !== null) keys.noteUse(used);
    expect(keys.list()[0]?.lastUsedOn).toBe('2026-11-24');
  });

  it('sees at once what another process changed', () => {
    const home = temporaryFolder();
    const clock = new TestClock();
    const databases = [openStore(home), openStore(home)] as const;
    const [server, commandLine] = [new KeyStore(databases[0], clock), new KeyStore(databases[1], clock)];
    expect(server.hasAny()).toBe(false);
    const { key, secret } = commandLine.create(chat);
    expect(server.find(secret)?.id).toBe(key.id);
    commandLine.revoke(key.id);
    expect(server.find(secret)).toBeNull();
    for (const database of databases) database.close();
  });

  it('names a key that is not there', async () => {
    const { keys } = newStore();
    expect(await errorOf(() => keys.revoke('key-0'))).toMatchObject({ code: 'OSLER_ERR_NOT_FOUND', message: 'There is no key "key-0".' });
  });
});
