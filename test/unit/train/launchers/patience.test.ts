import { describe, expect, it } from 'vitest';
import { retry, waitMs } from '../../../../src/train/launchers/patience.ts';

const patience = { firstMs: 1, mostMs: 4, tries: 3 };
const always = { patience, isWorthIt: () => true };

describe('waitMs', () => {
  it('doubles up to its limit', () => expect([1, 2, 3, 4, 50].map((failures) => waitMs(patience, failures))).toEqual([1, 2, 4, 4, 4]));
});

describe('retry', () => {
  const failing = (times: number, onTry: () => void = () => undefined) => {
    let tries = 0;
    return async (): Promise<number> => {
      tries += 1;
      onTry();
      if (tries <= times) throw new Error(`try ${tries}`);
      return tries;
    };
  };

  it('gives the first result, and tells of each failure before it', async () => {
    const told: string[] = [];
    expect(await retry(failing(2), { ...always, onWait: (error, ms) => void told.push(`${String(error)} ${ms}`) })).toBe(3);
    expect(told).toEqual(['Error: try 1 1', 'Error: try 2 2']);
  });

  it('throws the last failure after so many fruitless tries', async () => await expect(retry(failing(3), always)).rejects.toThrow('try 3'));

  it('throws at once what more tries do not mend', async () =>
    await expect(retry(failing(1), { patience, isWorthIt: () => false })).rejects.toThrow('try 1'));

  it('counts anew when a try achieved something', async () => {
    let achieved = 0;
    const work = failing(7, () => (achieved += 1));
    expect(await retry(work, { ...always, progress: () => achieved })).toBe(8);
  });

  it('ends while it waits when its signal aborts', async () => {
    const controller = new AbortController();
    const waiting = retry(failing(9), {
      ...always,
      patience: { ...patience, firstMs: 60_000, mostMs: 60_000 },
      onWait: () => controller.abort(),
      signal: controller.signal,
    });
    await expect(waiting).rejects.toThrow('aborted');
  });
});
