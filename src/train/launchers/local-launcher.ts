import type { TrainerHandle } from '../../core/schema/run.ts';
import { isTrainerAlive, startTrainer, stopTrainer } from '../trainer-process.ts';
import type { RunFolder } from '../run-folder.ts';
import type { Launcher, StartOptions } from './launcher.ts';

/** This machine: a process of its own that writes into the run's folder directly. */
export class LocalLauncher implements Launcher {
  readonly name = 'local';
  readonly #python: () => Promise<string>;

  /** @param python gives the interpreter that has the trainer's requirements, made ready where need be */
  constructor(python: () => Promise<string>) {
    this.#python = python;
  }

  async slots(): Promise<number> {
    return 1;
  }

  async start({ folder, startedAt }: StartOptions): Promise<TrainerHandle> {
    return startTrainer({ python: await this.#python(), folder, startedAt });
  }

  async isAlive(trainer: TrainerHandle, folder: RunFolder): Promise<boolean> {
    return trainer.kind === 'local' && (await isTrainerAlive(trainer, folder));
  }

  async stop(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind === 'local') stopTrainer(trainer);
  }

  async kill(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind === 'local') stopTrainer(trainer);
  }

  async sync(): Promise<void> {
    // It writes here.
  }

  async fetch(): Promise<void> {
    // They are here.
  }
}
