import { isEnded } from '../core/schema/run.ts';
import { placeInQueue } from '../train/run-queue.ts';
import type { CliContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';
import { showTraining } from './training-report.ts';

const lookMs = 500;

/** Shows a run that another process works on, from its first event to its end, or to Ctrl-C. */
export async function followRun(context: CliContext, id: string): Promise<void> {
  const { trainings } = context;
  const reporter = createReporter(context.config);
  const view = showTraining(reporter);
  const signal = interruptSignal(() => reporter.info(`the run goes on. Stop it with: npx osler runs stop ${id}`));
  let told = '';
  const timer = setInterval(() => {
    const run = trainings.get(id);
    const state = placeInQueue(run) || run.state;
    if (state !== told && !isEnded(run.state)) reporter.step(state);
    told = state;
  }, lookMs);
  try {
    for await (const event of trainings.events(id, signal)) view.onEvent(event);
    await trainings.settled(id, signal);
  } finally {
    clearInterval(timer);
    view.stop();
  }
}
