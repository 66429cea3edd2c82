import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { Recipe } from '../../src/core/schema/recipe.ts';
import type { RunState } from '../../src/core/schema/run.ts';
import { openStore } from '../../src/core/store.ts';
import { readEvents } from '../../src/train/event-file.ts';
import type { RunExport } from '../../src/train/export/run-export.ts';
import { LocalLauncher } from '../../src/train/launchers/local-launcher.ts';
import type { Launcher } from '../../src/train/launchers/launcher.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import type { RunFolder } from '../../src/train/run-folder.ts';
import { RunStore } from '../../src/train/run-store.ts';
import type { TrainingsDeps } from '../../src/train/training-deps.ts';
import { Trainings } from '../../src/train/trainings.ts';
import { eventually } from '../integration/support/eventually.ts';
import { fakeTrainer } from './fake-trainer.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { testConfig } from './test-home.ts';

/** As short as the events of a fake trainer allow. */
const testTimes = { pollMs: 20, queueMs: 20, syncMs: 20, graceMs: 2000 };

export interface FakeTrainingsOptions {
  /** Default: a new folder. The same one is another process at the same store. */
  readonly home?: string;
  /** What the fake trainer does, in shell. Left out: the one that is there. */
  readonly script?: string;
  readonly devices?: readonly string[];
  /** Stands between the trainings and the local launcher. */
  readonly wrap?: (launcher: Launcher) => Launcher;
  readonly deps?: Partial<TrainingsDeps>;
}

export interface FakeTrainings {
  readonly home: string;
  readonly trainings: Trainings;
  readonly runs: RunStore;
  readonly models: ModelStore;
  readonly recipe: Recipe;
  /** Replaces what the trainer does from the next start on. */
  play(script: string): void;
  /**
   * Leaves a run as a process does that dies once it has started the trainer.
   *
   * @returns whether that trainer lives
   */
  abandon(id: string): Promise<() => Promise<boolean>>;
  /** Adds a run, and gives its id. */
  create(): string;
  untilState(id: string, state: RunState): Promise<void>;
  /** Waits until the trainer of a run has told of a step. */
  untilStep(id: string): Promise<void>;
  /** Puts a run that is done back into a state, as if its process had died in it. */
  reopen(id: string, state: RunState): void;
  /** How often the trainer of a run was started. */
  startsOf(id: string): Promise<number>;
}

/** Real trainings over a real store, with a shell script in place of Python and a file of zeros in place of a GGUF. */
export async function fakeTrainings(options: FakeTrainingsOptions = {}): Promise<FakeTrainings> {
  const home = options.home ?? temporaryFolder();
  const base = path.join(home, 'base');
  mkdirSync(base, { recursive: true });
  writeFileSync(path.join(base, 'config.json'), '{}');
  if (options.script !== undefined) fakeTrainer(home, options.script);
  const database = openStore(home);
  const runs = new RunStore(database, systemClock);
  const models = new ModelStore(database);
  const local = new LocalLauncher({ python: async () => path.join(home, 'python'), devices: async () => options.devices ?? [] });
  onTestFinished(async () => {
    // Those that a failed test leaves.
    for (const { trainer } of runs.list()) if (trainer !== null) await local.kill(trainer);
    database.close();
  });
  const launcher = options.wrap?.(local) ?? local;
  const { times, ...deps } = options.deps ?? {};
  const trainings = new Trainings({
    config: testConfig(home),
    clock: systemClock,
    runs,
    models,
    launcher: async () => launcher,
    exportRun: async (_run, folder) => await fakeExport(folder),
    times: { ...testTimes, ...times },
    ...deps,
  });
  const recipe = await resolveRecipe({ preset: 'smoke', set: { 'base.ref': base } });
  return {
    home,
    trainings,
    runs,
    models,
    recipe,
    play: (script) => void fakeTrainer(home, script),
    abandon: async (id) => {
      const folder = trainings.folder(id);
      mkdirSync(folder.root, { recursive: true });
      runs.slots.take(id, 1, 1);
      const trainer = await local.start({ folder, basePath: base, processes: 1, slots: [0], startedAt: '2026-11-24T09:00:00Z' });
      runs.setTrainer(id, trainer);
      onTestFinished(async () => await local.kill(trainer));
      const hasSaidSomething = (): boolean => existsSync(folder.events) && statSync(folder.events).size > 0;
      await eventually('the trainer speaks', hasSaidSomething, 10_000);
      return async () => await local.isAlive(trainer, folder);
    },
    create: () => trainings.create(recipe).run.id,
    untilState: async (id, state) => await eventually(`${id} is ${state}`, () => runs.get(id).state === state, 10_000),
    untilStep: async (id) => {
      const hasProgress = async (): Promise<boolean> =>
        (await readEvents(trainings.folder(id).events)).some((event) => event.type === 'progress');
      await eventually(`${id} has done a step`, hasProgress, 10_000);
    },
    reopen: (id, state) => void database.prepare('UPDATE runs SET state = ? WHERE id = ?').run(state, id),
    startsOf: async (id) => {
      const text = await readFile(path.join(trainings.folder(id).root, 'starts'), 'utf8').catch(() => '');
      return text.split('\n').length - 1;
    },
  };
}

/** One GGUF file of nothing, listed as a real export lists it. */
export async function fakeExport(folder: RunFolder): Promise<RunExport> {
  const file = folder.gguf('q8_0');
  await writeFile(file, 'GGUF');
  return {
    schemaVersion: 1,
    sourceSha256: 'a'.repeat(64),
    ggufs: [{ type: 'q8_0', file: path.basename(file), bytes: 4, sha256: 'b'.repeat(64), tensorTypes: {} }],
    adapterGguf: null,
    modelfile: null,
    notices: [],
  };
}

/** A launcher that behaves otherwise in some ways. */
export function changedLauncher(launcher: Launcher, changes: Partial<Launcher>): Launcher {
  return {
    name: launcher.name,
    slots: async () => await launcher.slots(),
    start: async (options) => await launcher.start(options),
    isAlive: async (trainer, folder) => await launcher.isAlive(trainer, folder),
    stop: async (trainer) => await launcher.stop(trainer),
    kill: async (trainer) => await launcher.kill(trainer),
    sync: async (trainer, folder) => await launcher.sync(trainer, folder),
    fetch: async (...words) => await launcher.fetch(...words),
    ...(launcher.fetchTracking && { fetchTracking: launcher.fetchTracking.bind(launcher) }),
    ...(launcher.clean && { clean: launcher.clean.bind(launcher) }),
    ...changes,
  };
}
