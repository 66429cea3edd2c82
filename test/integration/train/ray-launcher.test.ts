import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { RayLauncher as RaySettings } from '../../../src/core/schema/launcher.ts';
import type { TrainerHandle } from '../../../src/core/schema/run.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { readTrainJob } from '../../../src/train/launchers/remote-job.ts';
import { RayClient } from '../../../src/train/launchers/ray-client.ts';
import { RayLauncher, type RayLauncherDeps } from '../../../src/train/launchers/ray-launcher.ts';
import type { RunFolder } from '../../../src/train/run-folder.ts';
import { errorOf } from '../../support/error-of.ts';
import { hostReport } from '../../support/host-report.ts';
import { RayCluster, rayPython, whyNoRay } from '../../support/ray-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { preparedRun, type PreparedOptions } from '../support/prepared-run.ts';

const startedAt = '2026-11-23T10:00:00.000Z';
/** Ray takes some seconds to start a job, more on a busy machine. */
const slowMs = 120_000;
const skipReason = await whyNoRay();

let folder = '';
let fakeSources = '';
let cluster: RayCluster | undefined;
let runs = 0;

beforeAll(async () => {
  if (skipReason !== undefined) return;
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-ray-test-'));
  await mkdir(path.join(folder, 'a shared folder'));
  fakeSources = path.join(folder, 'fake');
  await mkdir(path.join(fakeSources, 'osler_trainer'), { recursive: true });
  await copyFile(path.join(packageRoot, 'test/integration/support/fake-trainer.py'), path.join(fakeSources, 'osler_trainer/__main__.py'));
  await copyFile(path.join(packageRoot, 'python/osler_trainer/host.py'), path.join(fakeSources, 'osler_trainer/host.py'));
  cluster = await RayCluster.start();
}, 180_000);
afterAll(async () => {
  await cluster?.stop();
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

const launcher = (deps: RayLauncherDeps = {}, change: Partial<RaySettings> = {}): RayLauncher => {
  const settings = {
    kind: 'ray',
    address: cluster?.address ?? '',
    storage: path.join(folder, 'a shared folder'),
    python: rayPython,
    gpus: 0,
    ...change,
  };
  return new RayLauncher('cluster', RaySettings.parse(settings), { pollMs: 50, patience: { firstMs: 50, mostMs: 500, tries: 5 }, ...deps });
};

const run = async (options: Partial<PreparedOptions> = {}): Promise<RunFolder> => {
  runs += 1;
  return await preparedRun({ home: path.join(folder, 'home'), id: `run-${runs}`, ...options });
};

const start = async (ray: RayLauncher, prepared: RunFolder, basePath = 'owner/name'): Promise<TrainerHandle> => {
  const trainer = await ray.start({ folder: prepared, basePath, processes: 1, slots: [0], startedAt });
  onTestFinished(async () => await ray.kill(trainer));
  return trainer;
};

const ended = async (ray: RayLauncher, trainer: TrainerHandle, prepared: RunFolder): Promise<TrainEvent[]> => {
  await eventually('the trainer has ended', async () => !(await ray.isAlive(trainer)), slowMs);
  await ray.sync(trainer, prepared);
  return await readEvents(prepared.events);
};

const typesOf = (events: readonly TrainEvent[]): string[] => events.map((event) => event.type);
const hasProgress = (prepared: RunFolder) => async (): Promise<boolean> => typesOf(await readEvents(prepared.events)).includes('progress');

describe.skipIf(skipReason !== undefined)(`RayLauncher (${skipReason ?? 'with a real cluster'})`, { timeout: slowMs * 2 }, () => {
  it('runs a trainer as a job, and gives its events', async () => {
    const ray = launcher();
    const prepared = await run();
    const events = await ended(ray, await start(ray, prepared), prepared);
    expect(typesOf(events), await readFile(prepared.log, 'utf8').catch(() => '')).toEqual([
      'started',
      'dataset',
      ...Array.from({ length: 5 }, () => 'progress'),
      'finished',
    ]);
  });

  it('stops and saves, goes on as another job, and ends one at once', async () => {
    const ray = launcher();
    const prepared = await run({ maxSteps: 2000 });
    const trainer = await start(ray, prepared);
    await eventually('it trains', async () => (await ray.sync(trainer, prepared), await hasProgress(prepared)()), slowMs);
    await ray.stop(trainer);
    const stopped = (await ended(ray, trainer, prepared)).at(-1);
    expect(stopped?.type).toBe('stopped');

    const resumed = await start(ray, prepared);
    expect(resumed).not.toEqual(trainer);
    const lineCount = async (): Promise<number> => (await readEvents(prepared.events)).filter((event) => event.type === 'started').length;
    await eventually('it trains again', async () => (await ray.sync(resumed, prepared), (await lineCount()) === 2), slowMs);
    await ray.kill(resumed);
    const events = await ended(ray, resumed, prepared);
    expect(events.filter((event) => event.type === 'stopped')).toHaveLength(1);
    expect(events.at(-1)?.type).not.toBe('finished');
  });

  it('finds a running job again by its handle, and never submits it twice', async () => {
    const prepared = await run({ maxSteps: 300 });
    const trainer = await start(launcher(), prepared);
    const restarted = launcher();
    expect(await restarted.isAlive(JSON.parse(JSON.stringify(trainer)) as TrainerHandle)).toBe(true);
    expect(await restarted.start({ folder: prepared, basePath: 'owner/name', processes: 1, slots: [0], startedAt })).toEqual(trainer);
    expect(await restarted.clean(prepared, trainer)).toBe(false);
    expect(existsSync(path.join(trainer.kind === 'ray' ? trainer.folder : '', 'job.json'))).toBe(true);
    // As after an answer that was lost.
    const submission = {
      entrypoint: 'true',
      submission_id: trainer.kind === 'ray' ? trainer.submissionId : '',
      runtime_env: { env_vars: {} },
      entrypoint_num_cpus: 1,
      entrypoint_num_gpus: 0,
      metadata: {},
    };
    await new RayClient('cluster', cluster?.address ?? '').submit(submission);
    const events = await ended(restarted, trainer, prepared);
    expect(typesOf(events).filter((type) => type === 'started')).toHaveLength(1);
    expect(events.at(-1)?.type).toBe('finished');
  });

  it('brings artifacts checked, and copies a base model once', async () => {
    const base = path.join(folder, 'base');
    await mkdir(base);
    await writeFile(path.join(base, 'config.json'), '{}');
    const ray = launcher({ sources: fakeSources });
    const prepared = await run();
    const trainer = await start(ray, prepared, base);
    const events = await ended(ray, trainer, prepared);
    expect(events).toContainEqual(expect.objectContaining({ message: "base ['config.json']" }));
    expect(await readdir(path.join(folder, 'a shared folder/models'))).toHaveLength(1);
    const artifacts = events.filter((event) => event.type === 'artifact');
    await ray.fetch(trainer, prepared, artifacts);
    expect(existsSync(path.join(prepared.merged, 'parts/model-1.safetensors'))).toBe(true);

    const adapter = path.join(trainer.kind === 'ray' ? trainer.folder : '', 'adapter/adapter_model.safetensors');
    await rm(prepared.adapter, { recursive: true });
    const bytes = await readFile(adapter);
    bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
    await writeFile(adapter, bytes);
    expect((await errorOf(async () => await ray.fetch(trainer, prepared, artifacts))).code).toBe('OSLER_ERR_LAUNCHER_ARTIFACT');
    expect(existsSync(prepared.adapter)).toBe(false);
    await mkdir(path.join(path.dirname(path.dirname(adapter)), 'tracking/trackio'), { recursive: true });
    await writeFile(path.join(path.dirname(path.dirname(adapter)), 'tracking/trackio/project.db'), 'curves');
    await writeFile(path.join(path.dirname(path.dirname(adapter)), 'tracking/trackio/.lock'), '');
    await ray.fetchTracking(trainer, prepared);
    expect(await readdir(path.join(prepared.root, 'tracking/trackio'))).toEqual(['project.db']);
    expect(await ray.clean(prepared, trainer)).toBe(true);
    expect(existsSync(path.dirname(path.dirname(adapter)))).toBe(false);
  });

  it('puts into the log why a job never got as far as the trainer', async () => {
    const ray = launcher({}, { python: '/none/python' });
    const prepared = await run();
    const events = await ended(ray, await start(ray, prepared), prepared);
    expect(events).toEqual([]);
    expect(await readFile(prepared.log, 'utf8')).toContain('/none/python');
  });

  it('says that the cluster cannot be reached, and says of a lost one that the trainer goes on', async () => {
    const notices: string[] = [];
    const away = launcher({ onNotice: (message) => void notices.push(message) }, { address: 'http://127.0.0.1:1' });
    const prepared = await run();
    const error = await errorOf(
      async () => await away.start({ folder: prepared, basePath: 'owner/name', processes: 1, slots: [0], startedAt }),
    );
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    const trainer: TrainerHandle = { kind: 'ray', submissionId: 'osler-run-1-1', folder: prepared.root, startedAt };
    expect((await errorOf(async () => await away.isAlive(trainer))).code).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    expect(notices.join('\n')).toContain('goes on there');
  });

  it('asks a worker about a job, by a job of its own that leaves nothing behind', async () => {
    const sources = path.join(folder, 'answers');
    await mkdir(path.join(sources, 'osler_trainer'), { recursive: true });
    await copyFile(path.join(packageRoot, 'test/integration/support/fake-preflight.py'), path.join(sources, 'osler_trainer/__main__.py'));
    await writeFile(path.join(sources, 'osler_trainer/report.json'), JSON.stringify(hostReport()));
    const base = path.join(folder, 'asked base');
    await mkdir(base);
    for (const name of ['config.json', 'model.safetensors']) await writeFile(path.join(base, name), '{}');
    const prepared = await run({ basePath: base });
    const job = await readTrainJob(prepared);
    const circumstances = { hasWeights: true, exportsThere: false, isBusy: false };
    const reply = await launcher({ sources }, { threads: 7 }).askTrainer({ folder: prepared, job, circumstances });
    expect(reply).toMatchObject({ kind: 'report', report: { versions: { base: 'config.json', template: 'True', threads: '7' } } });
    expect(reply).toMatchObject({ report: { versions: { flags: '--job --without-weights --export-elsewhere' } } });
    expect(await readdir(path.join(folder, 'a shared folder/checks'))).toEqual([]);
    // The cluster has no GPU to answer from.
    const waiting = launcher({ sources, roomMs: 2000 }, { gpus: 1 });
    const why = expect.stringContaining('had no room to answer within 2 s') as string;
    expect(await waiting.askTrainer({ folder: prepared, job, circumstances })).toEqual({ kind: 'silent', why });
    expect(await readdir(path.join(folder, 'a shared folder/checks'))).toEqual([]);
  });

  it('says that this machine cannot write into the shared folder', async () => {
    const prepared = await run();
    const ray = launcher({}, { storage: '/none/storage' });
    const error = await errorOf(
      async () => await ray.start({ folder: prepared, basePath: 'owner/name', processes: 1, slots: [0], startedAt }),
    );
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
    expect(error.message).toContain('/none/storage');
  });

  it('runs one at a time where runs take no GPU, and answers where the cluster has none', async () => {
    expect(await launcher().slots()).toBe(1);
    expect(await launcher({}, { gpus: 1 }).slots()).toBe(1);
  });
});
