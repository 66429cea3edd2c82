import { isEnded } from '../core/schema/run.ts';
import { placeInQueue } from '../train/run-queue.ts';
import type { CliContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';
import { showTraining } from './training-report.ts';

/** Shows a run that another process works on, from its first event to its end, or to Ctrl-C. */
export async function followRun(context: CliContext, id: string): Promise<void> {
  const { trainings } = context;
  const reporter = createReporter(context.config);
  const view = showTraining(reporter);
  using signal = interruptSignal(() => reporter.info(`the run goes on. Stop it with: npx osler runs stop ${id}`));
  try {
    for await (const news of trainings.feed(id, signal)) {
      if (news.kind === 'trainer') view.onEvent(news.event);
      else if (!isEnded(news.run.state)) reporter.step(placeInQueue(news.run) || news.run.state);
    }
  } finally {
    view.stop();
  }
}
