import { OSLER_ERR_USAGE } from '../../core/errors.ts';
import type { TrainerHandle } from '../../core/schema/run.ts';
import { findTrainer, isTrainerAlive, killTrainer, startTrainer, stopTrainer } from '../trainer-process.ts';
import type { RunFolder } from '../run-folder.ts';
import { listCudaDevices } from './cuda-devices.ts';
import { askTrainer, type HostReply } from '../preflight/ask-trainer.ts';
import type { HostQuestion, Launcher, StartOptions } from './launcher.ts';

/** What a local launcher needs of the machine. */
export interface LocalLauncherDeps {
  /** Gives the interpreter that has the trainer's requirements, made ready where need be. */
  readonly python: (options: Pick<StartOptions, 'onStep' | 'signal'>) => Promise<string>;
  /** Gives the GPUs that trainers may use; left out: those of this machine. */
  readonly devices?: () => Promise<readonly string[]>;
}

/** This machine: a process of its own that writes into the run's folder directly. A slot is a GPU. */
export class LocalLauncher implements Launcher {
  readonly name = 'local';
  readonly #deps: LocalLauncherDeps;
  #devices: Promise<readonly string[]> | undefined;

  constructor(deps: LocalLauncherDeps) {
    this.#deps = deps;
  }

  async slots(): Promise<number> {
    return Math.max(1, (await this.#listDevices()).length);
  }

  async askTrainer({ folder, circumstances, onStep, signal }: HostQuestion): Promise<HostReply> {
    const python = await this.#deps.python({ onStep, signal });
    return await askTrainer({ python, job: folder.job, circumstances, signal });
  }

  async start({ folder, startedAt, processes, slots, onStep, signal }: StartOptions): Promise<TrainerHandle> {
    const devices = await this.#listDevices();
    if (devices.length > 0 && processes > devices.length)
      throw new OSLER_ERR_USAGE(
        `trainer.processes is ${processes}, and this machine has ${devices.length} GPU(s). Set it to ${devices.length} at most: --set trainer.processes=${devices.length}`,
      );
    const python = await this.#deps.python({ onStep, signal });
    signal?.throwIfAborted();
    const pid = await findTrainer(folder);
    if (pid !== undefined) return { kind: 'local', pid, startedAt };
    const environment: Record<string, string> = {};
    if (devices.length > 0) environment['CUDA_VISIBLE_DEVICES'] = slots.map((slot) => devices[slot]).join(',');
    return startTrainer({ python, folder, startedAt, processes, environment });
  }

  async isAlive(trainer: TrainerHandle, folder: RunFolder): Promise<boolean> {
    return trainer.kind === 'local' && (await isTrainerAlive(trainer, folder));
  }

  async stop(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind === 'local') stopTrainer(trainer);
  }

  async kill(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind === 'local') await killTrainer(trainer);
  }

  async sync(): Promise<void> {
    // It writes here.
  }

  async fetch(): Promise<void> {
    // They are here.
  }

  async #listDevices(): Promise<readonly string[]> {
    return await (this.#devices ??= (this.#deps.devices ?? listCudaDevices)());
  }
}
