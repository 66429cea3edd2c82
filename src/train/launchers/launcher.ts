import type { TrainerHandle } from '../../core/schema/run.ts';
import type { TrainEvent } from '../../core/schema/train-event.ts';
import type { TrainJob } from '../../core/schema/train-job.ts';
import type { Circumstances, HostReply } from '../preflight/ask-trainer.ts';
import type { RunFolder } from '../run-folder.ts';
import type { ContentFolder } from './content-folder.ts';
import type { ReportStep } from '../python-environment.ts';

/** What a launcher is handed: everything in `folder` that the job names is written already. */
export interface StartOptions {
  readonly folder: RunFolder;
  /** Folder of the base model on this machine, or a Hub id that the host fetches by itself. */
  readonly basePath: string;
  /** What is in that folder, where it was read already: a launcher that sends it does not read it again. */
  readonly baseContent?: ContentFolder | undefined;
  readonly processes: number;
  /** Numbers of the launcher's slots that this run holds, from 0: which GPUs it may use, where there are any. */
  readonly slots: readonly number[];
  readonly startedAt: string;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is asked before there is a run: everything in `folder` that the job names is written already. */
export interface HostQuestion {
  readonly folder: Pick<RunFolder, 'root' | 'job'>;
  readonly job: TrainJob;
  readonly circumstances: Circumstances;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A folder or file that the trainer says is complete. */
export type TrainedArtifact = Extract<TrainEvent, { type: 'artifact' }>;

/** Of a folder or file there: its place, and the size and checksum of each file. */
export type RemoteFiles = Pick<TrainedArtifact, 'path' | 'files'>;

/**
 * Where trainers run. The trainer is the same program everywhere, lives on without us, and is found again by its handle;
 * its events and log end up in the run's folder, whose file of events is the only thing that others read.
 *
 * Where its host does not answer, a call throws: `isAlive` then says nothing, and is asked again.
 */
export interface Launcher {
  /** `local`, or its name in launchers.json. */
  readonly name: string;
  /** Runs at once: GPUs, or 1 on a machine without. */
  slots(): Promise<number>;
  /** Asks the trainer there about a job before there is a run. Left out: it cannot be asked without being given the job. */
  askTrainer?(question: HostQuestion): Promise<HostReply>;
  /** Brings the input there and starts the trainer. */
  start(options: StartOptions): Promise<TrainerHandle>;
  /** Whether that very trainer is still running. */
  isAlive(trainer: TrainerHandle, folder: RunFolder): Promise<boolean>;
  /** Asks the trainer to finish its step, save a checkpoint and stop. */
  stop(trainer: TrainerHandle): Promise<void>;
  /** Ends the trainer at once, with whatever it started. */
  kill(trainer: TrainerHandle): Promise<void>;
  /** Appends to the run's events and log what the trainer has written since; whole lines only. Nothing to do where it writes here. */
  sync(trainer: TrainerHandle, folder: RunFolder): Promise<void>;
  /** Brings artifacts into the run's folder, each file checked by its sha256; what is here already is not fetched again. */
  fetch(trainer: TrainerHandle, folder: RunFolder, artifacts: readonly TrainedArtifact[], signal?: AbortSignal): Promise<void>;
  /** Brings the trackers' files, as they are once the trainer has ended, checked likewise. Left out where it writes here. */
  fetchTracking?(trainer: TrainerHandle, folder: RunFolder, signal?: AbortSignal): Promise<void>;
  /**
   * Removes the run's folder there; nothing while its trainer runs. Tried for some seconds: whoever wants it asks again. Left
   * out where it writes here.
   *
   * @param trainer the last one, or null where none was started
   * @returns whether there is no such folder any more
   */
  clean?(folder: RunFolder, trainer: TrainerHandle | null): Promise<boolean>;
}
