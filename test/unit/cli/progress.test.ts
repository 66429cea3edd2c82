import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createReporter, Reporter } from '../../../src/cli/progress.ts';

function plain(): { reporter: Reporter; lines: string[] } {
  const lines: string[] = [];
  return { reporter: new Reporter({ isTerminal: false, write: (line) => lines.push(line) }), lines };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('Reporter', () => {
  it('tells steps from details', () => {
    const { reporter, lines } = plain();
    reporter.step('make .venv');
    reporter.info('with python3');
    expect(lines).toEqual(['▸ make .venv', '  with python3']);
  });

  it('writes to stderr, so that stdout stays for results', () => {
    const [out, err] = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write').mockReturnValue(true)];
    const reporter = createReporter({ isCi: true });
    reporter.step('train');
    reporter.progress('training').update(1, 2);
    expect(err.mock.calls.map(([text]) => text)).toEqual(['▸ train\n', '  training 1/2\n']);
    expect(out).not.toHaveBeenCalled();
  });
});

describe('progress without a terminal', () => {
  it('writes the first and the last update, with a note where there is one', () => {
    const { reporter, lines } = plain();
    const progress = reporter.progress('evaluating');
    progress.update(0, 2);
    progress.update(2, 2, 'tuned, mini');
    progress.stop();
    expect(lines).toEqual(['  evaluating 0/2', '  evaluating 2/2 · tuned, mini']);
  });

  it('writes at most a line every five seconds, however often it is updated', () => {
    const { reporter, lines } = plain();
    const progress = reporter.progress('training');
    for (let done = 1; done <= 1000; done += 1) {
      progress.update(done, 2000);
      vi.advanceTimersByTime(20);
    }
    // 20 seconds: the first line, then one at 5, 10 and 15 s.
    expect(lines.map((line) => Number(/(\d+)\/2000/.exec(line)?.[1]))).toEqual([1, 251, 501, 751]);
  });

  it('writes one line of a state that does not change', () => {
    const { reporter, lines } = plain();
    const progress = reporter.progress('fetching');
    for (let look = 0; look < 10; look += 1) {
      progress.update(3, 10);
      vi.advanceTimersByTime(6000);
    }
    progress.update(10, 10);
    progress.update(10, 10);
    expect(lines).toHaveLength(2);
  });

  it('tells the time that is left by the pace since the first update', () => {
    const { reporter, lines } = plain();
    const progress = reporter.progress('training');
    vi.advanceTimersByTime(60_000); // the start is not counted
    progress.update(4, 20);
    vi.advanceTimersByTime(6000);
    progress.update(7, 20, 'loss 1.2');
    vi.advanceTimersByTime(6000);
    progress.update(20, 20);
    // 3 in 6 s leave 13 for 26 s.
    expect(lines).toEqual(['  training 4/20', '  training 7/20 · loss 1.2, ETA 26 s', '  training 20/20']);
  });
});

describe('the time that is left', () => {
  it('is what the caller knows, before any pace is known', () => {
    const { reporter, lines } = plain();
    const progress = reporter.progress('training');
    for (const [done, seconds] of [
      [10, 12_000.2],
      [20, 700],
      [30, 119],
      [40, 0],
    ] as const) {
      progress.update(done, 40, '', seconds);
      vi.advanceTimersByTime(6000);
    }
    expect(lines).toEqual([
      '  training 10/40, ETA 3 h 20 min',
      '  training 20/40, ETA 11 min 40 s',
      '  training 30/40, ETA 119 s',
      '  training 40/40',
    ]);
  });
});

describe('progress on a terminal', () => {
  it('is silent until the first update', () => {
    const lines: string[] = [];
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    const progress = new Reporter({ isTerminal: true, write: (line) => lines.push(line) }).progress('training');
    progress.stop();
    expect(lines).toEqual([]);
    expect(written).toEqual([]);
  });
});
