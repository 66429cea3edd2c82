import type { TrainEvent } from '../core/schema/train-event.ts';
import type { Progress, Reporter } from './progress.ts';

/** Shows a trainer's events on a terminal. */
export function showTraining(reporter: Reporter): { onEvent: (event: TrainEvent) => void; stop: () => void } {
  const bar: Progress = reporter.progress('training');
  const onEvent = (event: TrainEvent): void => {
    switch (event.type) {
      case 'started':
        reporter.info(`backend ${event.backend} on ${event.device.name}, precision ${String(event.resolved['precision'] ?? 'unknown')}`);
        break;
      case 'dataset':
        reporter.info(`${event.rows} rows, ${event.lengthTokens.median} tokens in the median, ${event.truncatedRows} cut at the limit`);
        reporter.info(`the first row as it is trained:\n${event.firstText.replaceAll(/^/gm, '  │ ')}`);
        break;
      case 'progress':
        bar.update(
          event.step,
          event.totalSteps,
          `loss ${event.loss.toFixed(3)} · lr ${event.learningRate.toExponential(1)}${event.tokensPerSecond === null ? '' : ` · ${Math.round(event.tokensPerSecond)} tokens/s`}`,
        );
        break;
      case 'heldOut':
        reporter.info(`held-out loss ${event.loss.toFixed(3)} after step ${event.step}`);
        break;
      case 'notice':
        reporter.info(`note: ${event.message}`);
        break;
      case 'finished':
        bar.stop();
        reporter.info(`trained ${event.steps} steps in ${Math.round(event.trainSeconds)} s, last loss ${event.finalLoss.toFixed(3)}`);
        break;
      case 'stage':
      case 'checkpoint':
      case 'artifact':
        break;
      case 'stopped':
      case 'failed':
        bar.stop();
        break;
    }
  };
  return { onEvent, stop: () => bar.stop() };
}
