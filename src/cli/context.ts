import { type Clock, systemClock } from '../core/clock.ts';
import { type Config, readConfig } from '../core/config.ts';
import { openStore } from '../core/store.ts';
import { certifyExport } from './certify-runtime.ts';
import { KeyStore } from '../server/auth/key-store.ts';
import { exportRun } from '../train/export/export-run.ts';
import { openLauncher } from '../train/launchers/open-launcher.ts';
import { findCardSection } from '../eval/report/card-section.ts';
import { ModelStore } from '../train/model-store.ts';
import { Pushes } from '../train/publish/pushes.ts';
import { RunStore } from '../train/run-store.ts';
import type { TrainingsDeps } from '../train/training-deps.ts';
import { Trainings } from '../train/trainings.ts';

/** What commands share: settings, the store and what stands on it. */
export interface CliContext {
  readonly config: Config;
  readonly clock: Clock;
  readonly runs: RunStore;
  readonly models: ModelStore;
  /** Opens a launcher by name; it tells of lost connections. Throws OSLER_ERR_LAUNCHER_UNKNOWN. */
  readonly launcher: TrainingsDeps['launcher'];
  readonly trainings: Trainings;
  readonly pushes: Pushes;
  readonly keys: KeyStore;
}

/** Reads the environment and opens the store. Throws OSLER_ERR_CONFIG_INVALID. */
export function openContext(config: Config = readConfig()): CliContext {
  const database = openStore(config.home);
  const models = new ModelStore(database);
  const runs = new RunStore(database, systemClock);
  const launcher: CliContext['launcher'] = async (name, onNotice) => await openLauncher(name, config, onNotice);
  const trainings = new Trainings({
    config,
    clock: systemClock,
    runs,
    models,
    launcher,
    exportRun: async (run, folder, options) => await exportRun(run, folder, { config }, options),
    certifyRun: async (...what) => await certifyExport({ config, clock: systemClock, models }, ...what),
  });
  const findEvaluation = async (weights: ReadonlySet<string>) => await findCardSection(config.home, weights);
  const pushes = new Pushes({ config, clock: systemClock, runs, models, findEvaluation });
  return { config, clock: systemClock, runs, models, launcher, trainings, pushes, keys: new KeyStore(database, systemClock) };
}
