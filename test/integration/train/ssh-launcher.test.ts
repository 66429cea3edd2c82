import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import type { SshLauncher as SshSettings } from '../../../src/core/schema/launcher.ts';
import type { TrainerHandle } from '../../../src/core/schema/run.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { checkLauncher } from '../../../src/train/launchers/check-launcher.ts';
import type { Launcher, TrainedArtifact } from '../../../src/train/launchers/launcher.ts';
import { SshLauncher, type SshLauncherDeps } from '../../../src/train/launchers/ssh-launcher.ts';
import type { RunFolder } from '../../../src/train/run-folder.ts';
import { deleteRun } from '../../../src/train/delete-run.ts';
import { listOldCheckpoints } from '../../../src/train/old-runs.ts';
import { readSource } from '../../../src/train/run-source.ts';
import type { TrainingsDeps } from '../../../src/train/training-deps.ts';
import { startTrainer } from '../../../src/train/trainer-process.ts';
import { errorOf } from '../../support/error-of.ts';
import { changedLauncher, fakeExport, fakeTrainings } from '../../support/fake-trainings.ts';
import { Sshd, whyNoSshd } from '../../support/sshd.ts';
import { eventually } from '../support/eventually.ts';
import { preparedRun, type PreparedOptions, trainerPython } from '../support/prepared-run.ts';

const startedAt = '2026-11-23T10:00:00.000Z';
const skipReason = await whyNoSshd();

let folder = '';
let sshd: Sshd;
let fakeSources = '';
let runs = 0;

beforeAll(async () => {
  if (skipReason !== undefined) return;
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-sshd-'));
  sshd = await Sshd.create(folder);
  await sshd.start();
  fakeSources = path.join(folder, 'fake');
  await mkdir(path.join(fakeSources, 'osler_trainer'), { recursive: true });
  await copyFile(path.join(packageRoot, 'test/integration/support/fake-trainer.py'), path.join(fakeSources, 'osler_trainer/__main__.py'));
});
afterAll(async () => {
  if (skipReason !== undefined) return;
  await sshd.stop();
  await rm(folder, { recursive: true, force: true });
});

const launcher = (deps: Partial<SshLauncherDeps> = {}, change: Partial<SshSettings> = {}): SshLauncher =>
  new SshLauncher('gpu', sshd.settings(change), {
    home: path.join(folder, 'home'),
    secrets: {},
    pollMs: 20,
    patience: { firstMs: 20, mostMs: 200, tries: 30 },
    ...deps,
  });

const run = async (options: Partial<PreparedOptions> = {}): Promise<RunFolder> => {
  runs += 1;
  return await preparedRun({ home: path.join(folder, 'home'), id: `run-${runs}`, ...options });
};

const start = async (gpu: SshLauncher, prepared: RunFolder, basePath = 'owner/name', processes = 1): Promise<TrainerHandle> => {
  const trainer = await gpu.start({ folder: prepared, basePath, processes, slots: [0], startedAt });
  onTestFinished(async () => await gpu.kill(trainer));
  return trainer;
};

/** Follows a trainer as trainings do: a failure to reach it is no end. */
const ended = async (gpu: SshLauncher, trainer: TrainerHandle, prepared: RunFolder): Promise<TrainEvent[]> => {
  const hasEnded = async (): Promise<boolean> => {
    const isAlive = await gpu.isAlive(trainer, prepared);
    await gpu.sync(trainer, prepared);
    return !isAlive;
  };
  await eventually('the trainer has ended', async () => await hasEnded().catch(() => false), 20_000);
  return await readEvents(prepared.events);
};

const typesOf = (events: readonly TrainEvent[]): string[] => events.map((event) => event.type);
const artifactsOf = (events: readonly TrainEvent[]): TrainedArtifact[] => events.filter((event) => event.type === 'artifact');
const thereOf = (trainer: TrainerHandle): string => (trainer.kind === 'ssh' ? trainer.folder : '');

describe.skipIf(skipReason !== undefined)(`SshLauncher (${skipReason ?? 'with a real sshd'})`, () => {
  it('gives the events and the log of a trainer as one that runs here', async () => {
    const gpu = launcher();
    const there = await run();
    const remote = await ended(gpu, await start(gpu, there), there);

    const here = await run();
    const local = startTrainer({ python: trainerPython, folder: here, startedAt });
    await eventually('the local one has ended', () => !existsSync(`/proc/${local.pid}/cwd`), 20_000).catch(() => undefined);
    await eventually('it has finished', async () => typesOf(await readEvents(here.events)).includes('finished'), 20_000);
    const withoutTime = (events: readonly TrainEvent[]) =>
      events.map((event) => ({ ...event, at: '', runId: '', pid: 0, etaSeconds: 0, trainSeconds: 0 }));
    expect(withoutTime(remote)).toEqual(withoutTime(await readEvents(here.events)));
    expect(await readFile(there.events, 'utf8')).toBe(
      await readFile(path.join(folder, 'work/runs', path.basename(there.root), 'events.jsonl'), 'utf8'),
    );
  });

  it('asks a trainer to stop and save, and ends one at once', async () => {
    const gpu = launcher();
    const prepared = await run({ maxSteps: 1000 });
    const trainer = await start(gpu, prepared);
    await eventually(
      'it trains',
      async () => (await gpu.sync(trainer, prepared), typesOf(await readEvents(prepared.events)).includes('progress')),
    );
    await gpu.stop(trainer);
    expect((await ended(gpu, trainer, prepared)).at(-1)?.type).toBe('stopped');

    const resumed = await start(gpu, prepared);
    expect(await gpu.isAlive(resumed, prepared)).toBe(true);
    await gpu.kill(resumed);
    const events = await ended(gpu, resumed, prepared);
    expect(typesOf(events).filter((type) => type === 'stopped')).toHaveLength(1);
    expect(events.at(-1)?.type).not.toBe('finished');
  });

  it('finds a running trainer again by its handle, from another process’s point of view, and never starts it twice', async () => {
    const prepared = await run({ maxSteps: 200 });
    const trainer = await start(launcher(), prepared);
    const restarted = launcher();
    const found: unknown = JSON.parse(JSON.stringify(trainer));
    expect(await restarted.isAlive(found as TrainerHandle, prepared)).toBe(true);
    // The former server was killed between the start and the note of it.
    expect(
      await restarted.start({ folder: prepared, basePath: 'owner/name', processes: 1, slots: [0], startedAt: '2026-11-23T11:00:00.000Z' }),
    ).toEqual(trainer);
    const events = await ended(restarted, trainer, prepared);
    expect(typesOf(events).filter((type) => type === 'started')).toHaveLength(1);
    expect(events.at(-1)?.type).toBe('finished');
  });

  it('lives through lost connections: the trainer goes on, and nothing of what it says is lost or doubled', async () => {
    const notices: string[] = [];
    const gpu = launcher({ onNotice: (message) => void notices.push(message) });
    const prepared = await run({ maxSteps: 150 });
    const trainer = await start(gpu, prepared);
    const failures: string[] = [];
    for (let count = 0; count < 500 && failures.length < 3; count += 1) {
      const looking = gpu.sync(trainer, prepared).catch((error: unknown) => void failures.push(String(error)));
      await sshd.cutConnections();
      await looking;
    }
    expect(failures.length).toBeGreaterThan(0);
    await sshd.stop();
    const isUnreachable = async (): Promise<boolean> =>
      (await errorOf(async () => await gpu.isAlive(trainer, prepared))).code === 'OSLER_ERR_LAUNCHER_UNREACHABLE';
    await eventually('nobody answers', async () => await isUnreachable().catch(() => false));
    // Asked again at once, it answers at once.
    for (let count = 0; count < 3; count += 1) expect(await isUnreachable()).toBe(true);
    expect(notices.join('\n')).toMatch(/cannot be reached.*goes on there/);
    await sshd.start();
    const events = await ended(gpu, trainer, prepared);
    expect(notices.at(-1)).toBe('It can be reached again.');
    expect(events.flatMap((event) => (event.type === 'progress' ? [event.step] : []))).toEqual(
      Array.from({ length: 150 }, (_, index) => index + 1),
    );
    expect(await readFile(prepared.events)).toEqual(await readFile(path.join(thereOf(trainer), 'events.jsonl')));
  });

  it('starts several processes by torchrun, of which one speaks, and ends all of them', async () => {
    const gpu = launcher();
    const prepared = await run({ maxSteps: 1000 });
    const trainer = await start(gpu, prepared, 'owner/name', 2);
    const hasProgress = async (): Promise<boolean> => {
      await gpu.sync(trainer, prepared);
      return typesOf(await readEvents(prepared.events)).includes('progress');
    };
    await eventually('it trains', hasProgress, 50_000);
    const ranks = async (): Promise<string[]> => {
      const commands = (await readdir('/proc')).map(async (pid) => await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
      return (await Promise.all(commands)).filter((command) => command.includes(thereOf(trainer)));
    };
    // torchrun and the one rank that a dry run needs.
    expect(await ranks()).toHaveLength(2);
    await gpu.kill(trainer);
    await ended(gpu, trainer, prepared);
    await eventually('no rank is left', async () => (await ranks()).length === 0);
    expect(typesOf(await readEvents(prepared.events)).filter((type) => type === 'started')).toHaveLength(1);
  });

  it('gives up a connection on which nothing comes back, and makes a new one', async () => {
    const gpu = launcher({ requestTimeoutMs: 1500 });
    const prepared = await run({ maxSteps: 100 });
    const trainer = await start(gpu, prepared);
    await sshd.freezeConnections();
    onTestFinished(async () => void (await sshd.cutConnections()));
    const error = await errorOf(async () => await gpu.sync(trainer, prepared));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    expect(error.message).toContain('did not answer in time');
    expect((await ended(launcher(), trainer, prepared)).at(-1)?.type).toBe('finished');
  });

  it('goes on from a half line that a killed server left in its own copy', async () => {
    const gpu = launcher();
    const prepared = await run();
    const trainer = await start(gpu, prepared);
    const events = await ended(gpu, trainer, prepared);
    const whole = await readFile(prepared.events);
    await writeFile(prepared.events, whole.subarray(0, 100));
    await launcher().sync(trainer, prepared);
    expect(await readFile(prepared.events)).toEqual(whole);
    expect(typesOf(events)).toContain('finished');
  });

  it('starts again after a half line here that was ended, with nothing of the new trainer lost', async () => {
    const gpu = launcher();
    const prepared = await run();
    await ended(gpu, await start(gpu, prepared), prepared);
    const whole = await readFile(prepared.events);
    await writeFile(prepared.events, Buffer.concat([whole.subarray(0, 100), Buffer.from('\n')]));
    const trainer = await start(gpu, prepared);
    const events = await ended(gpu, trainer, prepared);
    expect(typesOf(events).filter((type) => type === 'finished').length).toBeGreaterThan(0);
    expect(typesOf(events)[0]).toBe('started');
    expect(await readFile(prepared.events)).toEqual(await readFile(path.join(thereOf(trainer), 'events.jsonl')));
  });

  it('starts again where the run’s folder there was removed, with the earlier events kept here', async () => {
    const gpu = launcher();
    const prepared = await run();
    const trainer = await start(gpu, prepared);
    const before = await ended(gpu, trainer, prepared);
    expect(await gpu.clean(prepared, trainer)).toBe(true);
    expect(existsSync(thereOf(trainer))).toBe(false);
    // And once more: an answer may have been lost.
    expect(await gpu.clean(prepared, trainer)).toBe(true);
    const after = await ended(gpu, await start(gpu, prepared), prepared);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(typesOf(after.slice(before.length))).toContain('finished');
  });

  it('does not clean away a run whose trainer is at work', async () => {
    const gpu = launcher();
    const prepared = await run({ maxSteps: 1000 });
    const trainer = await start(gpu, prepared);
    expect(await gpu.clean(prepared, trainer)).toBe(false);
    expect(await gpu.clean(prepared, null)).toBe(false);
    expect(existsSync(path.join(thereOf(trainer), 'job.json'))).toBe(true);
  });
});

describe.skipIf(skipReason !== undefined)('SshLauncher’s files', () => {
  const trained = async (
    gpu: SshLauncher,
    basePath?: string,
  ): Promise<{ prepared: RunFolder; trainer: TrainerHandle; events: TrainEvent[] }> => {
    const prepared = await run();
    const trainer = await start(gpu, prepared, basePath);
    const events = await ended(gpu, trainer, prepared);
    expect(events.at(-1)?.type, await readFile(prepared.log, 'utf8').catch(() => '')).toBe('finished');
    return { prepared, trainer, events };
  };
  const treeOf = async (root: string): Promise<Record<string, string>> => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const files = entries.flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : []));
    return Object.fromEntries(
      await Promise.all(files.map(async (file) => [path.relative(root, file), sha256(await readFile(file))] as const)),
    );
  };

  it('brings artifacts whole into the run’s folder, and fetches nothing twice', async () => {
    const gpu = launcher({ sources: fakeSources });
    const { prepared, trainer, events } = await trained(gpu);
    await gpu.fetch(trainer, prepared, artifactsOf(events));
    for (const name of ['adapter', 'merged'])
      expect(await treeOf(path.join(prepared.root, name))).toEqual(await treeOf(path.join(thereOf(trainer), name)));
    const { mtimeMs, ino } = await stat(path.join(prepared.merged, 'parts/model-1.safetensors'));
    await rm(path.join(thereOf(trainer), 'merged'), { recursive: true });
    await gpu.fetch(trainer, prepared, artifactsOf(events));
    expect(await stat(path.join(prepared.merged, 'parts/model-1.safetensors'))).toMatchObject({ mtimeMs, ino });
    expect((await readdir(prepared.root)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('does not take over a file with a flipped byte', async () => {
    const gpu = launcher({ sources: fakeSources });
    const { prepared, trainer, events } = await trained(gpu);
    const file = await open(path.join(thereOf(trainer), 'merged/parts/model-1.safetensors'), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 1_500_000);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, 1_500_000);
    await file.close();
    const error = await errorOf(async () => await gpu.fetch(trainer, prepared, artifactsOf(events)));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_ARTIFACT');
    expect(error.message).toContain('model-1.safetensors');
    expect(existsSync(prepared.merged)).toBe(false);
    expect(existsSync(prepared.adapter)).toBe(true);
  });

  it('goes on with a transfer that lost connections broke off', async () => {
    const notices: string[] = [];
    const gpu = launcher({ sources: fakeSources, onNotice: (message) => void notices.push(message) });
    const { prepared, trainer, events } = await trained(gpu);
    const fetching = gpu.fetch(trainer, prepared, artifactsOf(events));
    for (let count = 0; count < 1000 && notices.length < 3; count += 1) await sshd.cutConnections();
    await fetching;
    expect(notices.length).toBeGreaterThan(0);
    expect(await treeOf(prepared.merged)).toEqual(await treeOf(path.join(thereOf(trainer), 'merged')));
  });

  it('refuses artifacts that would be written outside the run’s folder', async () => {
    const gpu = launcher({ sources: fakeSources });
    const { prepared, trainer, events } = await trained(gpu);
    const [artifact] = artifactsOf(events);
    if (artifact === undefined) throw new Error('no artifact');
    for (const bad of [
      { ...artifact, path: '/etc' },
      { ...artifact, path: thereOf(trainer) },
      { ...artifact, files: [{ path: '../../escaped', bytes: 1, sha256: '' }] },
    ])
      expect((await errorOf(async () => await gpu.fetch(trainer, prepared, [bad]))).code).toBe('OSLER_ERR_LAUNCHER_ARTIFACT');
  });

  it('sends a base model once, under the digest of its content, and goes on with a part of it', async () => {
    const base = path.join(folder, 'base');
    await mkdir(base, { recursive: true });
    await writeFile(path.join(base, 'config.json'), '{}');
    await writeFile(path.join(base, 'model.safetensors'), Buffer.alloc(5_000_000, 7));
    await writeFile(path.join(base, 'model.gguf'), 'not wanted there');
    const first = await trained(launcher({ sources: fakeSources }), base);
    expect(first.events).toContainEqual(expect.objectContaining({ message: "base ['config.json', 'model.safetensors']" }));
    const models = path.join(folder, 'work/models');
    const [name = ''] = await readdir(models);
    const before = await stat(path.join(models, name, 'model.safetensors'));
    await trained(launcher({ sources: fakeSources }), base);
    expect((await stat(path.join(models, name, 'model.safetensors'))).ino).toBe(before.ino);

    // As a kill -9 in the middle leaves it, with a byte that the host's disk has spoilt.
    await rm(path.join(models, name), { recursive: true });
    const part = path.join(models, `.${name}.${sha256(`${os.hostname()}\n${path.join(folder, 'home')}`).slice(0, 12)}.part`);
    await mkdir(part);
    await writeFile(path.join(part, 'model.safetensors'), Buffer.alloc(2_000_000, 8));
    await trained(launcher({ sources: fakeSources }), base);
    expect(await readdir(models)).toEqual([name]);
    expect(await readFile(path.join(models, name, 'model.safetensors'))).toEqual(Buffer.alloc(5_000_000, 7));
  });

  it('hands tokens to the trainer by no argument and no file', async () => {
    const token = 'hf_secretForTheTestOnly0123456789';
    const gpu = launcher({ sources: fakeSources, secrets: { HF_TOKEN: token } });
    const prepared = await run();
    const seen: string[] = [];
    let isWatching = true;
    const watching = (async () => {
      while (isWatching)
        for (const pid of await readdir('/proc')) seen.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    })();
    const trainer = await start(gpu, prepared);
    const events = await ended(gpu, trainer, prepared);
    isWatching = false;
    await watching;
    expect(events).toContainEqual(expect.objectContaining({ message: `HF_TOKEN ${sha256(token)}` }));
    expect(seen.some((command) => command.includes('osler_host'))).toBe(true);
    expect(seen.filter((command) => command.includes(token))).toEqual([]);
    for (const root of [path.join(folder, 'work'), path.join(folder, 'home')])
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) expect((await readFile(path.join(entry.parentPath, entry.name))).includes(token), entry.name).toBe(false);
  });
});

describe.skipIf(skipReason !== undefined)('a training over ssh, from its start to its end', () => {
  const work = (id: string): string => path.join(folder, 'work/runs', id);
  const training = async (
    deps: Partial<SshLauncherDeps> = {},
    wrap: (gpu: SshLauncher) => Launcher = (gpu) => gpu,
    others: Partial<TrainingsDeps> = {},
  ) => {
    const fake = await fakeTrainings({
      deps: {
        ...others,
        launcher: async (_name, onNotice) => wrap(launcher({ sources: fakeSources, home: fake.home, onNotice, ...deps })),
      },
    });
    const recipe = { ...fake.recipe, tracking: { ...fake.recipe.tracking, reportTo: ['wandb' as const] } };
    const { id } = fake.trainings.create(recipe, null, { launcher: 'gpu' }).run;
    const notices: string[] = [];
    const onEvent = (event: TrainEvent): void => void (event.type === 'notice' && notices.push(event.message));
    return { ...fake, id, notices, onEvent, folder: fake.trainings.folder(id) };
  };

  it('brings results and trackers’ files, and leaves nothing on the host once the run is done', async () => {
    const { trainings, id, onEvent, notices, folder: here } = await training();
    const steps: string[] = [];
    await trainings.execute(id, { onEvent, onStep: (step) => void steps.push(step) });
    expect(trainings.get(id).state).toBe('done');
    // The base was read once, for the record and for its way to the host.
    expect(steps.filter((step) => step.includes('checksums'))).toHaveLength(1);
    expect((await readSource(here))?.base.files).toEqual([{ path: 'config.json', bytes: 2, sha256: sha256('{}') }]);
    expect(existsSync(path.join(here.merged, 'parts/model-1.safetensors'))).toBe(true);
    expect(await readdir(path.join(here.root, 'tracking'), { recursive: true })).toEqual([
      'wandb',
      'wandb/offline-run-1',
      'wandb/offline-run-1/run-1.wandb',
    ]);
    expect((await stat(path.join(here.root, 'tracking/wandb/offline-run-1/run-1.wandb'))).size).toBe(2_500_000);
    expect(existsSync(work(id))).toBe(false);
    expect(existsSync(here.remote)).toBe(false);
    // The base, which other runs share, is still there.
    expect(await readdir(path.join(folder, 'work/models'))).not.toEqual([]);
    expect(notices.filter((notice) => notice.includes('was not removed'))).toEqual([]);
  });

  it('keeps the copy of a run that failed before all was here, goes on from it, and then removes it', async () => {
    let isDamaged = true;
    const {
      trainings,
      id,
      folder: here,
    } = await training({}, (gpu) =>
      changedLauncher(gpu, {
        fetch: async (trainer, ...words) => {
          const file = path.join(thereOf(trainer), 'merged/config.json');
          const bytes = await readFile(file);
          if (isDamaged) await writeFile(file, bytes.toReversed());
          try {
            await gpu.fetch(trainer, ...words);
          } finally {
            await writeFile(file, bytes);
          }
        },
      }),
    );
    await expect(trainings.execute(id)).rejects.toThrow('was not taken over');
    isDamaged = false;
    expect(trainings.get(id).state).toBe('failed');
    expect(existsSync(path.join(work(id), 'merged/parts/model-1.safetensors'))).toBe(true);
    expect(JSON.parse(await readFile(here.remote, 'utf8'))).toMatchObject({ launcher: 'gpu', isFetched: false });
    await trainings.resume(id);
    await trainings.execute(id);
    expect([trainings.get(id).state, existsSync(work(id))]).toEqual(['done', false]);
  });

  it('is done, with a notice, where the host is away at the end; the next clean-up removes the copy', async () => {
    const {
      trainings,
      id,
      runs,
      models,
      home,
      onEvent,
      notices,
      folder: here,
    } = await training({}, undefined, {
      exportRun: async (_run, exported) => {
        await sshd.stop();
        return await fakeExport(exported);
      },
    });
    await trainings.execute(id, { onEvent });
    expect(trainings.get(id).state).toBe('done');
    expect(notices.at(-1)).toMatch(/copy of the run in ".*" of launcher "gpu" was not removed: .*cannot be reached.*osler clean/);
    const told = await readEvents(here.events, { notices: here.notices });
    expect(told.at(-1)).toMatchObject({ type: 'notice', message: notices.at(-1) });
    expect(existsSync(path.join(work(id), 'merged'))).toBe(true);

    const open = async (): Promise<SshLauncher> => await Promise.resolve(launcher({ home }));
    const list = async () => await listOldCheckpoints({ home, runs, models, launcher: open }, new Date(Date.now() + 1000));
    const [away] = await list();
    expect((await errorOf(async () => await away?.remove())).code).toBe('OSLER_ERR_LAUNCHER_COPY');
    await sshd.start();
    await away?.remove();
    expect([existsSync(work(id)), existsSync(here.merged), await list()]).toEqual([false, true, []]);
  });

  it('deletes what is there with the run, even of one that never started', async () => {
    const { trainings, id, runs, models, home } = await training({ sources: path.join(folder, 'none') });
    await expect(trainings.execute(id)).rejects.toThrow('none');
    await mkdir(work(id), { recursive: true });
    await writeFile(path.join(work(id), 'train.jsonl'), 'rows');
    const notices: string[] = [];
    const open = async (): Promise<SshLauncher> => await Promise.resolve(launcher({ home }));
    await deleteRun({ home, runs, models, launcher: open, onNotice: (notice) => void notices.push(notice) }, id);
    expect([existsSync(work(id)), runs.list(), notices]).toEqual([false, [], []]);
  });
});

describe.skipIf(skipReason !== undefined)('checkLauncher', () => {
  const check = async (change: Partial<SshSettings>) => {
    const home = path.join(folder, 'checked');
    await mkdir(home, { recursive: true });
    await writeFile(path.join(home, 'launchers.json'), JSON.stringify({ gpu: sshd.settings(change) }));
    return await checkLauncher('gpu', { home });
  };

  it('says what a trainer would run on', async () => {
    const { level, text } = await check({});
    // This machine has a GPU or not; its Python has torch.
    expect(['ok', 'limited']).toContain(level);
    expect(text).toMatch(/torch \d+\.\d+.*Python 3\.\d+.*cores.*free in/);
  });

  it('says what is missing there, and why it cannot be reached', async () => {
    expect(await check({ python: '/usr/bin/python3' })).toMatchObject({ level: 'failure', text: expect.stringMatching(/lacks .*torch/) });
    expect(await check({ port: 1 })).toMatchObject({ level: 'failure', text: expect.stringContaining('Connection refused') });
  });
});

describe.skipIf(skipReason !== undefined)('SshLauncher, where the host cannot be used', () => {
  const failure = async (change: Partial<SshSettings>) => {
    const prepared = await run();
    return await errorOf(
      async () => await launcher({}, change).start({ folder: prepared, basePath: 'owner/name', processes: 1, slots: [0], startedAt }),
    );
  };

  it('says that nobody answers there', async () => {
    const error = await failure({ port: 1 });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    expect(error.message).toContain('Connection refused');
  });

  it('says that the name is unknown', async () => {
    const error = await failure({ host: 'no-such-host.invalid' });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    expect(error.message).toContain('no-such-host.invalid');
  });

  it('says that the key is not let in, and how to try it', async () => {
    const error = await failure({ identityFile: sshd.otherKey });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_KEY_REFUSED');
    expect(error.message).toContain(`ssh -p ${sshd.port} -i '${sshd.otherKey}' 127.0.0.1 true`);
  });

  it('trusts no unknown host key, and says how to add it', async () => {
    const error = await failure({ knownHostsFile: path.join(folder, 'empty') });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_HOST_KEY');
    expect(error.message).toContain(`ssh-keyscan -p ${sshd.port} 127.0.0.1`);
    expect(existsSync(path.join(folder, 'empty'))).toBe(false);
  });

  it('refuses a host whose key has changed', async () => {
    await sshd.trust('other');
    onTestFinished(async () => await sshd.trust('host'));
    // Settings of its own, so that no open connection is used.
    const error = await failure({ threads: 1 });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_HOST_KEY');
    expect(error.message).toContain('its key is another than the one on record');
  });

  it('says that there is no such Python', async () => {
    const error = await failure({ python: '/none/python' });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
    expect(error.message).toContain('no Python "/none/python"');
  });

  it('says which packages its Python lacks', async () => {
    const error = await failure({ python: '/usr/bin/python3' });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
    expect(error.message).toMatch(/lacks .*pydantic/);
  });

  it('says that the disk there is full, and trains there once it is not', async ({ skip }) => {
    const base = path.join(folder, 'large');
    await mkdir(base, { recursive: true });
    await writeFile(path.join(base, 'model.safetensors'), Buffer.alloc(3_000_000, 1));
    const disk = path.join(folder, 'disk');
    await mkdir(disk, { recursive: true });
    const mount = await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { reject: false });
    if (mount.exitCode !== 0) skip('a small disk can be mounted as root only');
    onTestFinished(async () => void (await execa('umount', ['-l', disk])));
    const prepared = await run();
    const full = async (): Promise<TrainerHandle> =>
      await launcher({}, { workDir: disk }).start({ folder: prepared, basePath: base, processes: 1, slots: [0], startedAt });
    const refused = await errorOf(full);
    expect(refused.code).toBe('OSLER_ERR_LAUNCHER_DISK');
    expect(refused.message).toContain('0.01 GB');
    await execa('mount', ['-o', 'remount,size=200m', disk]);
    const gpu = launcher({}, { workDir: disk });
    const trainer = await start(gpu, prepared, base);
    expect((await ended(gpu, trainer, prepared)).at(-1)?.type).toBe('finished');
  });

  it('says that its folder there cannot be written', async () => {
    const error = await failure({ workDir: '/proc/none' });
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
    expect(error.message).toContain('/proc/none');
  });
});
