import path from 'node:path';
import { execa } from 'execa';
import type { GenerateRequest } from '../../src/engine/engine.ts';
import { engineEnvironment } from '../../src/engine/llama/backend-choice.ts';
import type { LoadOptions } from '../../src/engine/llama/protocol.ts';
import type { FromDriver, ToDriver } from './driver-protocol.ts';
import type { LoadResult } from './load-job.ts';

/** The lockstep driver over node-llama-cpp in a process of its own, and nothing else. */
export interface BareDriver {
  readonly pid: number;
  /** Plays requests in a closed loop. Throws what the driver met. */
  play(requests: readonly GenerateRequest[], clients: number): Promise<LoadResult>;
  stop(): Promise<void>;
}

/** Starts the process and loads the model in it. Throws where it does not load. */
export async function startBareDriver(options: LoadOptions): Promise<BareDriver> {
  const child = execa(process.execPath, [path.join(import.meta.dirname, 'driver-process.ts')], {
    ipc: true,
    serialization: 'json',
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    buffer: false,
    reject: false,
    env: engineEnvironment(options.backend),
  });
  const ask = async (message: ToDriver): Promise<FromDriver> => {
    child.nodeChildProcess.send(message);
    // Both ends are built from the same sources.
    const reply = (await child.getOneMessage()) as unknown as FromDriver;
    if (reply.type === 'failed') throw new Error(`The bare driver failed: ${reply.message}`);
    return reply;
  };
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child;
  };
  await ask({ type: 'load', options }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    // A child that answered has a process.
    pid: child.pid ?? 0,
    play: async (requests, clients) => {
      const reply = await ask({ type: 'play', requests, clients });
      if (reply.type !== 'played') throw new Error(`The bare driver answered "${reply.type}" where a result was due.`);
      return reply.result;
    },
    stop,
  };
}
