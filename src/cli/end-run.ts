import { setTimeout as sleep } from 'node:timers/promises';
import { openContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';

const lookMs = 200;

/** Stops or cancels a run, whichever process works on it, and waits until its trainer has ended. */
export async function endRun(how: 'stop' | 'cancel', id: string, flags: { json?: boolean }): Promise<void> {
  const { config, trainings } = openContext();
  const reporter = createReporter(config);
  const { trainer } = how === 'stop' ? trainings.stop(id) : trainings.cancel(id);
  if (trainer !== null) reporter.step('the trainer finishes its step and saves a checkpoint');
  using signal = interruptSignal(() => reporter.info(`the run ends by itself. Look at it with: npx osler runs show ${id}`));
  // Where its process has died, this one does the rest; that it ended early is what was asked for.
  if (trainings.isAbandoned(id)) await trainings.execute(id).catch(() => undefined);
  let run = await trainings.settled(id, signal);
  // A cancelled run is so at once, and its trainer ends after it.
  while (run.state === 'cancelled' && run.trainer !== null && !trainings.isAbandoned(id) && !signal.aborted) {
    await sleep(lookMs);
    run = trainings.get(id);
  }
  if (flags.json === true) process.stdout.write(`${JSON.stringify(run)}\n`);
  else process.stdout.write(`Run ${id} is ${run.state}.${run.state === 'stopped' ? ` Go on with: npx osler train --resume ${id}` : ''}\n`);
}
