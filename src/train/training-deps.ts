import type { Clock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import type { Run } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import type { RunExport } from './export/run-export.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { ModelStore } from './model-store.ts';
import type { ReportStep } from './python-environment.ts';
import type { RunFolder } from './run-folder.ts';
import type { TellNotice } from './run-notices.ts';
import type { RunStore } from './run-store.ts';
import type { TrainingTimes } from './training-times.ts';

/** What a stage after the training is given beside the run. */
export interface StageOptions {
  readonly onStep?: ReportStep | undefined;
  readonly signal: AbortSignal;
}

/** Makes the files of a run that are served, out of its merged model. What is there complete is not made again. */
export type ExportRun = (run: Run, folder: RunFolder, options: StageOptions) => Promise<RunExport>;

/** Judges what was exported. One that does not pass is kept as a candidate, and cannot be promoted. */
export type CertifyRun = (run: Run, folder: RunFolder, exported: RunExport, options: StageOptions) => Promise<{ passed: boolean }>;

/** What trainings stand on. */
export interface TrainingsDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly runs: RunStore;
  readonly models: ModelStore;
  /** Opens a launcher by name; it tells of lost connections. Throws for a name that is not known. */
  readonly launcher: (name: string, onNotice?: TellNotice) => Promise<Launcher>;
  readonly exportRun: ExportRun;
  /** Left out: there is no certificate. */
  readonly certifyRun?: CertifyRun | undefined;
  /** Other times, for tests. */
  readonly times?: Partial<TrainingTimes>;
}

/** How a run is worked on. */
export interface RunOptions {
  readonly onStep?: ReportStep | undefined;
  readonly onEvent?: ((event: TrainEvent) => void) | undefined;
  /** Stops and saves; the run can be resumed. */
  readonly signal?: AbortSignal | undefined;
}
