import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Outage } from '../../../../src/train/launchers/outage.ts';

describe('Outage', () => {
  it('gives the last failure until the next try is due, and is told once of its begin and its end', async () => {
    const told: string[] = [];
    const outage = new Outage({ firstMs: 30, mostMs: 30, tries: 1 }, (message) => void told.push(message));
    let tries = 0;
    let isUp = false;
    const ask = async (): Promise<number> =>
      await outage.bridge(
        async () => {
          tries += 1;
          if (!isUp) throw new Error('lost.');
          return tries;
        },
        () => true,
      );
    for (let count = 0; count < 3; count += 1) await expect(ask()).rejects.toThrow('lost.');
    expect(tries).toBe(1);
    await sleep(35);
    await expect(ask()).rejects.toThrow('lost.');
    expect(tries).toBe(2);
    isUp = true;
    await sleep(35);
    expect(await ask()).toBe(3);
    expect(await ask()).toBe(4);
    expect(told).toEqual(['lost. The trainer goes on there by itself; trying again.', 'It can be reached again.']);
  });

  it('does not wait after a failure that is no outage', async () => {
    const outage = new Outage({ firstMs: 60_000, mostMs: 60_000, tries: 1 }, () => undefined);
    const ask = async (work: () => Promise<number>): Promise<number> => await outage.bridge(work, () => false);
    await expect(ask(async () => await Promise.reject(new Error('disk')))).rejects.toThrow('disk');
    expect(await ask(async () => 1)).toBe(1);
  });
});
