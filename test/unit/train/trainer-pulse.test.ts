import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { TrainerPulse } from '../../../src/train/trainer-pulse.ts';
import { defaultTimes } from '../../../src/train/training-times.ts';
import { FixedClock } from '../../support/fixed-clock.ts';

const at = '2026-11-24T09:00:00.000Z';
const heartbeat = (idleSeconds: number): TrainEvent => ({ type: 'heartbeat', at, step: 3, idleSeconds });
const notice: TrainEvent = { type: 'notice', at, message: 'x' };
const minuteMs = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function newPulse(): TrainerPulse {
  const clock = new FixedClock(at);
  return new TrainerPulse(defaultTimes, () => clock.now());
}

describe('TrainerPulse', () => {
  it('finds nothing wrong with a trainer that never sent a heartbeat', () => {
    const pulse = newPulse();
    pulse.hear(notice);
    vi.advanceTimersByTime(600 * minuteMs);
    expect(pulse.problem()).toBeNull();
  });

  it('says since when a trainer has been silent, after three minutes', () => {
    const pulse = newPulse();
    pulse.hear(heartbeat(1));
    vi.advanceTimersByTime(3 * minuteMs);
    expect(pulse.problem()).toBeNull();
    vi.advanceTimersByTime(1);
    expect(pulse.problem()).toBe(`had been silent since ${at} (3 min)`);
  });

  it('takes any event for a sign of life, and an excuse too', () => {
    const pulse = newPulse();
    pulse.hear(heartbeat(1));
    for (const sign of [() => pulse.hear(notice), () => pulse.excuse()]) {
      vi.advanceTimersByTime(2 * minuteMs);
      sign();
      vi.advanceTimersByTime(2 * minuteMs);
      expect(pulse.problem()).toBeNull();
    }
  });

  it('says how long no step was finished, after half an hour', () => {
    const pulse = newPulse();
    pulse.hear(heartbeat(1800));
    expect(pulse.problem()).toBeNull();
    pulse.hear(heartbeat(1815));
    expect(pulse.problem()).toBe('had not finished a step for 30 min');
    pulse.hear(notice);
    expect(pulse.problem()).toBeNull();
  });
});
