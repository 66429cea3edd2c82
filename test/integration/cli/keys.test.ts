import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openStore } from '../../../src/core/store.ts';
import { ApiKey } from '../../../src/server/auth/api-key.ts';
import { KeyStore } from '../../../src/server/auth/key-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { runOsler } from '../support/cli.ts';
import { postChat, startService } from '../support/service.ts';

async function osler(home: string, ...words: string[]) {
  return await runOsler(words, { home });
}

/** What the home holds, read here: a process more for each look would take seconds. */
function storedIn(home: string): ApiKey[] {
  const database = openStore(home);
  const keys = new KeyStore(database, systemClock).list();
  database.close();
  return keys;
}

describe('osler keys', () => {
  it('makes a key that is printed once, lists it without its secret, and revokes it', async () => {
    const home = temporaryFolder();
    const made = await osler(home, 'keys', 'create', '--name', 'Ward 3', '--scope', 'chat', '--scope', 'evaluate', '--expires', '90d');
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/^osk_[\w-]{43}$/);
    expect(made.stderr).toMatch(/^key-[0-9a-f]{12} for chat, evaluate, until \d{4}-\d\d-\d\d/);

    const key = ApiKey.parse(JSON.parse((await osler(home, 'keys', 'list', '--json')).stdout)[0]);
    expect([key]).toEqual(storedIn(home));
    expect(key).toMatchObject({ name: 'Ward 3', scopes: ['chat', 'evaluate'], revokedAt: null, lastUsedOn: null });
    const days = (Date.parse(key.expiresAt ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThan(90.1);
    const table = (await osler(home, 'keys', 'list')).stdout;
    expect(table).toContain('usable');
    expect(table).toContain('Ward 3');
    expect(table).not.toContain('osk_');
    // What is kept on the disk is its digest.
    const bytes = ['osler.sqlite', 'osler.sqlite-wal'].map((name) => readText(path.join(home, name))).join('');
    expect(bytes).not.toContain(made.stdout.slice(4));
    expect(bytes).toContain(createHash('sha256').update(made.stdout).digest('hex'));

    const revoked = await osler(home, 'keys', 'revoke', key.id, '--json');
    expect(ApiKey.parse(JSON.parse(revoked.stdout)).revokedAt).not.toBeNull();
  });

  it('opens and closes a running server from the next request on', async () => {
    const home = temporaryFolder();
    const service = await startService({ home });
    expect((await postChat(service)).statusCode).toBe(200);
    const made: { id: string; secret: string } = JSON.parse(
      (await osler(home, 'keys', 'create', '--name', 'x', '--scope', 'chat', '--json')).stdout,
    );
    const headers = { authorization: `Bearer ${made.secret}` };
    expect((await postChat(service)).statusCode).toBe(401);
    expect((await postChat(service, {}, headers)).statusCode).toBe(200);
    expect((await osler(home, 'keys', 'revoke', made.id)).exitCode).toBe(0);
    expect((await postChat(service, {}, headers)).statusCode).toBe(401);
  });

  it.each([
    ['no name', ['create', '--scope', 'chat'], '--name'],
    ['no scope', ['create', '--name', 'x'], '--scope'],
    ['an unknown scope', ['create', '--name', 'x', '--scope', 'root'], 'choose of chat, evaluate, admin'],
    ['a time that is none', ['create', '--name', 'x', '--scope', 'chat', '--expires', 'soon'], '12h, 90d or 52w'],
    ['a time of nothing', ['create', '--name', 'x', '--scope', 'chat', '--expires', '0d'], '12h, 90d or 52w'],
    ['a time without an end', ['create', '--name', 'x', '--scope', 'chat', '--expires', '99999w'], 'up to ten years'],
    ['a name that moves the cursor', ['create', '--name', 'x\u001B[2J', '--scope', 'chat'], 'can be printed'],
    ['a key that is not there', ['revoke', 'key-0'], 'There is no key "key-0"'],
  ])('refuses %s with exit code 2, and makes none', async (_title, words, says) => {
    const home = temporaryFolder();
    const result = await osler(home, 'keys', ...words);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(says);
    expect(storedIn(home)).toEqual([]);
  });
});

describe('osler serve on an address that others reach', () => {
  const serve = async (home: string, env: Record<string, string> = {}) =>
    await runOsler(['serve', '--model', 'x=no-such-model', '--host', '0.0.0.0', '--port', '0'], { home, env });

  it('wants a key that works: none, a revoked and an expired one are refused', async () => {
    const home = temporaryFolder();
    expect((await serve(home)).stderr).toContain('OSLER_ERR_SERVER_BIND');
    const service = await startService({ home });
    service.keys.create({ name: 'old', scopes: ['chat'], expiresAt: new Date(Date.now() - 1000) });
    const { key } = service.keys.create({ name: 'x', scopes: ['chat'], expiresAt: null });
    service.keys.revoke(key.id);
    const refused = await serve(home);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('OSLER_ERR_SERVER_BIND');
    // With one it gets as far as to look for the model.
    service.keys.create({ name: 'y', scopes: ['chat'], expiresAt: null });
    expect((await serve(home)).stderr).toContain('OSLER_ERR_MODEL_UNKNOWN');
  });
});

/** Empty where there is no such file. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
