import type { TrainEvent } from '../core/schema/train-event.ts';
import { formatBytes } from './format-bytes.ts';
import type { Progress, Reporter } from './progress.ts';

type ProgressEvent = Extract<TrainEvent, { type: 'progress' }>;

const stageNames: Readonly<Record<Extract<TrainEvent, { type: 'stage' }>['stage'], string>> = {
  preparing: 'load the base model',
  training: 'train',
  saving: 'save the adapter',
  merging: 'merge the adapter into the base',
  reference: 'compute what the certificate compares with',
};

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
      case 'base':
        reporter.info(`base: ${event.files.length} files recorded by sha256${event.revision === null ? '' : `, commit ${event.revision}`}`);
        break;
      case 'progress':
        bar.update(event.step, event.totalSteps, figuresOf(event), event.etaSeconds ?? undefined);
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
        if (event.stage !== 'training') bar.stop();
        reporter.step(stageNames[event.stage]);
        break;
      case 'heartbeat':
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

/** What one looks at while a model trains; what is not known is left out. */
function figuresOf(event: ProgressEvent): string {
  const figures = [
    `loss ${event.loss.toFixed(3)}`,
    `lr ${event.learningRate.toExponential(1)}`,
    event.gradNorm === null ? null : `gradient norm ${event.gradNorm.toFixed(2)}`,
    event.tokensPerSecond === null ? null : `${Math.round(event.tokensPerSecond)} tokens/s`,
    event.memoryBytes === null ? null : `memory ${formatBytes(event.memoryBytes)}`,
  ];
  return figures.filter((figure) => figure !== null).join(' · ');
}
