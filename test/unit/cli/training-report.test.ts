import { describe, expect, it } from 'vitest';
import { Reporter } from '../../../src/cli/progress.ts';
import { showTraining } from '../../../src/cli/training-report.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';

const at = '2026-11-24T09:00:00.000Z';

function shown(...events: readonly TrainEvent[]): string[] {
  const lines: string[] = [];
  const view = showTraining(new Reporter({ isTerminal: false, write: (line) => lines.push(line) }));
  for (const event of events) view.onEvent(event);
  view.stop();
  return lines;
}

function progress(changes: Partial<Extract<TrainEvent, { type: 'progress' }>> = {}): TrainEvent {
  return {
    type: 'progress',
    at,
    step: 10,
    totalSteps: 60,
    epoch: 0.2,
    loss: 1.98765,
    learningRate: 0.0002,
    gradNorm: 0.4321,
    tokensPerSecond: 3456.7,
    memoryBytes: 5.6e9,
    etaSeconds: 115.4,
    ...changes,
  };
}

describe('showTraining', () => {
  it('shows loss, learning rate, gradient norm, speed, memory and time left', () =>
    expect(shown(progress())).toEqual([
      '  training 10/60 · loss 1.988 · lr 2.0e-4 · gradient norm 0.43 · 3457 tokens/s · memory 5.6 GB, ETA 116 s',
    ]));

  it('leaves out what is not known', () =>
    expect(shown(progress({ gradNorm: null, tokensPerSecond: null, memoryBytes: null, etaSeconds: null }))).toEqual([
      '  training 10/60 · loss 1.988 · lr 2.0e-4',
    ]));

  it('names the stages, and says nothing of a heartbeat', () =>
    expect(
      shown(
        { type: 'stage', at, stage: 'preparing' },
        { type: 'heartbeat', at, step: 0, idleSeconds: 3 },
        { type: 'stage', at, stage: 'merging' },
        { type: 'finished', at, steps: 60, finalLoss: 1.5, trainSeconds: 140, peakMemoryBytes: null },
      ),
    ).toEqual(['▸ load the base model', '▸ merge the adapter into the base', '  trained 60 steps in 140 s, last loss 1.500']));
});
