import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BackupManifest, sealManifest } from '../../../../src/core/backup/backup-manifest.ts';
import { type BackupOptions, createBackup } from '../../../../src/core/backup/create-backup.ts';
import { restoreBackup } from '../../../../src/core/backup/restore-backup.ts';
import { verifyBackup } from '../../../../src/core/backup/verify-backup.ts';
import { OSLER_ERR_INTERRUPTED } from '../../../../src/core/errors.ts';
import { storeVersion } from '../../../../src/core/migrate-store.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';
import { openStore } from '../../../../src/core/store.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const now = new Date('2026-11-24T10:00:00.000Z');
/** What a home holds, and whether a backup has it: always, with weights only, or never. */
const homeFiles: readonly (readonly [string, 'always' | 'weights' | 'never'])[] = [
  ['runs/run-1/recipe.json', 'always'],
  ['runs/run-1/source.json', 'always'],
  ['runs/run-1/events.jsonl', 'always'],
  ['runs/run-1/train.jsonl', 'always'],
  ['runs/run-1/certificate.json', 'always'],
  ['runs/run-1/notices.jsonl', 'always'],
  ['runs/run-1/tracking/wandb/offline-run-1/run-1.wandb', 'always'],
  ['runs/run-1/tracking/trackio/.project.lock', 'never'],
  ['runs/run-1/adapter/adapter_model.safetensors', 'weights'],
  ['runs/run-1/merged/config.json', 'weights'],
  ['runs/run-1/merged/model.safetensors', 'weights'],
  ['runs/run-1/merged-q8_0.gguf', 'weights'],
  ['runs/run-1/outputs/checkpoint-20/optimizer.pt', 'never'],
  ['runs/run-1/outputs-before-1700000000/checkpoint-20/trainer_state.json', 'never'],
  ['runs/run-1/.osler-lock', 'never'],
  ['runs/run-1/.merged.part/config.json', 'never'],
  ['runs/run-1/job.json.0a1b.tmp', 'never'],
  ['evaluations/eval-1/samples.jsonl', 'always'],
  ['evaluations/eval-1/report.html', 'always'],
  ['data/rows.jsonl', 'always'],
  ['models/base/config.json', 'weights'],
  ['models/base/base.gguf', 'weights'],
  ['cache/hub/models/o/n/0a/config.json', 'never'],
  ['engine/backend-0a1b.json', 'never'],
  ['backups/earlier/manifest.json', 'never'],
  ['hub-token', 'never'],
];

/** A home with one of everything, and a store with one model. */
function filledHome(): string {
  const home = path.join(temporaryFolder(), 'home');
  for (const [name] of homeFiles) {
    mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
    writeFileSync(path.join(home, name), `contents of ${name}`);
  }
  const database = openStore(home);
  database.prepare(`INSERT INTO models (id, status, created_at) VALUES ('m', 'candidate', 'now')`).run();
  database.close();
  return home;
}

function optionsFor(home: string, changes: Partial<BackupOptions> = {}): BackupOptions {
  return { home, target: path.join(path.dirname(home), 'backup'), hasModels: false, now, oslerVersion: '1.2.3', ...changes };
}

const expected = (hasModels: boolean): string[] =>
  [
    'osler.sqlite',
    ...homeFiles.filter(([, when]) => when === 'always' || (hasModels && when === 'weights')).map(([name]) => name),
  ].toSorted();
const namesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();

describe('createBackup', () => {
  it.each([false, true])('takes store and files with their checksums; weights: %s', async (hasModels) => {
    const options = optionsFor(filledHome(), { hasModels });
    const manifest = await createBackup(options);
    expect(manifest.files.map((file) => file.path).toSorted()).toEqual(expected(hasModels));
    expect(namesIn(options.target)).toEqual([...expected(hasModels), 'manifest.json'].toSorted());
    expect(manifest).toMatchObject({ createdAt: now.toISOString(), oslerVersion: '1.2.3', storeVersion, hasModels, home: options.home });
    expect(await verifyBackup(options.target)).toEqual(manifest);
    // Verifying changes nothing, not even by a file of SQLite's.
    expect(namesIn(options.target)).toHaveLength(expected(hasModels).length + 1);
    expect(statSync(options.target).mode & 0o077).toBe(0);
  });

  it('follows no link', async () => {
    const options = optionsFor(filledHome());
    writeFileSync(path.join(path.dirname(options.home), 'secret'), 'secret');
    symlinkSync(path.join(path.dirname(options.home), 'secret'), path.join(options.home, 'runs/run-1/linked'));
    symlinkSync(path.dirname(options.home), path.join(options.home, 'runs/linked'));
    const manifest = await createBackup(options);
    expect(manifest.files.filter((file) => file.path.includes('linked'))).toEqual([]);
  });

  it('leaves what is there, and refuses a folder that the next backup would hold', async () => {
    const options = optionsFor(filledHome());
    mkdirSync(options.target);
    expect((await errorOf(async () => await createBackup(options))).code).toBe('OSLER_ERR_BACKUP_TARGET');
    expect(readdirSync(options.target)).toEqual([]);
    const inside = await errorOf(async () => await createBackup({ ...options, target: path.join(options.home, 'runs/backup') }));
    expect(inside.code).toBe('OSLER_ERR_BACKUP_TARGET');
    const { files } = await createBackup({ ...options, target: path.join(options.home, 'backups/today') });
    expect(files).toHaveLength(expected(false).length);
  });

  it('leaves nothing where it is interrupted', async () => {
    const options = optionsFor(filledHome());
    const abort = new AbortController();
    const onBytes = (): void => abort.abort(new OSLER_ERR_INTERRUPTED('Stopped.'));
    const error = await errorOf(async () => await createBackup({ ...options, onBytes, signal: abort.signal }));
    expect(error.code).toBe('OSLER_ERR_INTERRUPTED');
    expect(readdirSync(path.dirname(options.target))).toEqual(['home']);
  });

  it('leaves nothing that passes for a backup where it is killed', async () => {
    const options = optionsFor(filledHome());
    const script = `
      import { createBackup } from '${packageRoot}/src/core/backup/create-backup.ts';
      const options = ${JSON.stringify(options)};
      await createBackup({ ...options, now: new Date(options.now), onBytes: () => process.kill(process.pid, 'SIGKILL') });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    const left = readdirSync(path.dirname(options.target)).filter((name) => name !== 'home');
    expect(left).toEqual([expect.stringMatching(/^backup\.partial-/)]);
    for (const name of left)
      expect((await errorOf(async () => await verifyBackup(path.join(path.dirname(options.target), name)))).message).toContain(
        'broken off',
      );
    // And the next one is not in its way.
    await createBackup(options);
    await verifyBackup(options.target);
  });

  it('says so where there is no home, or its store is damaged', async () => {
    const home = path.join(temporaryFolder(), 'none');
    expect((await errorOf(async () => await createBackup(optionsFor(home)))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
    const options = optionsFor(filledHome());
    const file = path.join(options.home, 'osler.sqlite');
    writeFileSync(file, readFileSync(file).fill(0xa5, 4096, 4096 * 2));
    expect((await errorOf(async () => await createBackup(options))).code).toBe('OSLER_ERR_STORE_CORRUPT');
    expect(existsSync(options.target)).toBe(false);
  });

  it('is of one moment while another process writes', async () => {
    const options = optionsFor(filledHome());
    // Each transaction adds to two tables at once: a copy that has them uneven is of no one moment.
    const script = `
      import { openStore } from '${packageRoot}/src/core/store.ts';
      const database = openStore(${JSON.stringify(options.home)});
      for (let count = 0; ; count += 1) {
        database.exec('BEGIN IMMEDIATE');
        database.prepare("INSERT INTO models (id, status, created_at) VALUES (?, 'candidate', 'now')").run('m' + count);
        database.prepare("INSERT INTO runs (id, state, recipe, created_at, updated_at) VALUES (?, 'done', '{}', 'now', 'now')").run('r' + count);
        database.exec('COMMIT');
        if (count === 5) process.stdout.write('ready');
      }`;
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(writer.stdout, 'data');
      for (const name of ['first', 'second', 'third']) {
        const target = path.join(path.dirname(options.home), name);
        await createBackup({ ...options, target });
        await verifyBackup(target);
        const database = openStore(target);
        const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']);
        // One model was there before.
        expect(count('models')).toBe(count('runs') + 1);
        expect(count('runs')).toBeGreaterThan(4);
        database.close();
      }
    } finally {
      writer.kill('SIGKILL');
    }
  });
});

describe('verifyBackup', () => {
  async function verified(damage: (folder: string, manifest: BackupManifest) => void): Promise<string> {
    const options = optionsFor(filledHome());
    damage(options.target, await createBackup(options));
    const error = await errorOf(async () => await verifyBackup(options.target));
    expect(error.code).toBe('OSLER_ERR_BACKUP_INVALID');
    // A restore looks first, and then does nothing.
    const home = path.join(path.dirname(options.home), 'new');
    expect((await errorOf(async () => await restoreBackup({ folder: options.target, home }))).code).toBe('OSLER_ERR_BACKUP_INVALID');
    expect(existsSync(home)).toBe(false);
    return error.message;
  }
  const reseal = (folder: string, { digest: _digest, ...contents }: BackupManifest): void =>
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(sealManifest(contents)));

  it('names every file that was changed, cut off, removed or added', async () => {
    const message = await verified((folder) => {
      writeFileSync(path.join(folder, 'runs/run-1/recipe.json'), 'Contents of runs/run-1/recipe.json');
      appendFileSync(path.join(folder, 'runs/run-1/events.jsonl'), '{}');
      rmSync(path.join(folder, 'evaluations/eval-1/report.html'));
      writeFileSync(path.join(folder, 'runs/new.json'), '');
    });
    expect(message).toContain('"runs/run-1/recipe.json" was changed');
    expect(message).toContain('"runs/run-1/events.jsonl" has');
    expect(message).toContain('"evaluations/eval-1/report.html" is missing');
    expect(message).toContain('"runs/new.json" does not belong to it');
    expect(message).not.toContain('source.json');
  });

  it.each([
    ['is not there', (file: string) => rmSync(file), 'has no manifest.json'],
    ['is no JSON', (file: string) => writeFileSync(file, '{'), 'cannot be read'],
    ['was edited', (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replace('1.2.3', '1.2.4')), 'was changed'],
  ])('refuses a backup whose manifest %s', async (_title, damage, message) => {
    expect(await verified((folder) => damage(path.join(folder, 'manifest.json')))).toContain(message);
  });

  it.each(['../outside', '/etc/passwd', 'runs/../../outside', 'runs//x', 'a\\..\\b'])(
    'refuses a manifest that names "%s"',
    async (name) => {
      const message = await verified((folder, manifest) =>
        reseal(folder, { ...manifest, files: [...manifest.files, { path: name, bytes: 0, sha256: 'a'.repeat(64) }] }),
      );
      expect(message).toContain('cannot be read');
    },
  );

  it('refuses one without a store', async () => {
    const message = await verified((folder, manifest) => {
      rmSync(path.join(folder, 'osler.sqlite'));
      reseal(folder, { ...manifest, files: manifest.files.filter((file) => file.path !== 'osler.sqlite') });
    });
    expect(message).toContain('no store');
  });
});

describe('restoreBackup', () => {
  it('puts everything into a home that is empty, or not there', async () => {
    const options = optionsFor(filledHome(), { hasModels: true });
    await createBackup(options);
    for (const name of ['new', 'empty']) {
      const home = path.join(path.dirname(options.home), name);
      if (name === 'empty') mkdirSync(path.join(home, 'runs'), { recursive: true });
      await restoreBackup({ folder: options.target, home });
      expect(namesIn(home)).toEqual(expected(true));
      for (const file of expected(true).filter((entry) => entry !== 'osler.sqlite'))
        expect(readFileSync(path.join(home, file), 'utf8')).toBe(`contents of ${file}`);
      const database = openStore(home);
      expect(database.prepare('SELECT id FROM models').all()).toEqual([{ id: 'm' }]);
      database.close();
    }
  });

  it.each(['osler.sqlite', 'osler.sqlite-wal', 'runs/run-2/recipe.json', 'evaluations/e/samples.jsonl'])(
    'overwrites nothing of a home that holds %s',
    async (name) => {
      const options = optionsFor(filledHome());
      await createBackup(options);
      const home = path.join(path.dirname(options.home), 'used');
      mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
      writeFileSync(path.join(home, name), 'mine');
      const error = await errorOf(async () => await restoreBackup({ folder: options.target, home }));
      expect(error.code).toBe('OSLER_ERR_BACKUP_TARGET');
      expect(namesIn(home)).toEqual([name]);
      expect(readFileSync(path.join(home, name), 'utf8')).toBe('mine');
    },
  );

  it('leaves caches of a home alone, and goes in beside them', async () => {
    const options = optionsFor(filledHome());
    await createBackup(options);
    const home = path.join(path.dirname(options.home), 'cached');
    mkdirSync(path.join(home, 'cache'), { recursive: true });
    writeFileSync(path.join(home, 'cache/kept'), 'kept');
    await restoreBackup({ folder: options.target, home });
    expect(namesIn(home)).toEqual([...expected(false), 'cache/kept'].toSorted());
  });

  it('refuses the backup of a newer release', async () => {
    const options = optionsFor(filledHome());
    const { digest: _digest, ...contents } = await createBackup(options);
    writeFileSync(
      path.join(options.target, 'manifest.json'),
      JSON.stringify(sealManifest({ ...contents, storeVersion: storeVersion + 1 })),
    );
    const home = path.join(path.dirname(options.home), 'new');
    const error = await errorOf(async () => await restoreBackup({ folder: options.target, home }));
    expect(error.code).toBe('OSLER_ERR_STORE_NEWER');
    expect(existsSync(home)).toBe(false);
  });

  it('leaves nothing where it is interrupted', async () => {
    const options = optionsFor(filledHome());
    await createBackup(options);
    const home = path.join(path.dirname(options.home), 'new');
    const abort = new AbortController();
    const onBytes = (): void => abort.abort(new OSLER_ERR_INTERRUPTED('Stopped.'));
    const error = await errorOf(async () => await restoreBackup({ folder: options.target, home, onBytes, signal: abort.signal }));
    expect(error.code).toBe('OSLER_ERR_INTERRUPTED');
    expect(namesIn(home)).toEqual([]);
  });
});
