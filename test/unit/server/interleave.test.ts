import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { interleave } from '../../../src/server/interleave.ts';

async function* countTo(limit: number, pauseMs = 0): AsyncGenerator<number, void> {
  for (let value = 0; value < limit; value += 1) {
    if (pauseMs > 0) await sleep(pauseMs);
    yield value;
  }
}

describe('interleave', () => {
  it('gives every value of every source, each in its order', async () => {
    const all = await Array.fromAsync(interleave([countTo(5, 3), countTo(0), countTo(20)]));
    for (const [index, limit] of [5, 0, 20].entries())
      expect(all.filter((entry) => entry.index === index).map((entry) => entry.value)).toEqual(
        Array.from({ length: limit }, (_, value) => value),
      );
  });

  it('does not wait for a slow source', async () => {
    const all = await Array.fromAsync(interleave([countTo(2, 50), countTo(3)]));
    expect(all.slice(0, 3).map((entry) => entry.index)).toEqual([1, 1, 1]);
  });

  it('asks a source for no more than one value ahead', async () => {
    let asked = 0;
    async function* source() {
      for (;;) yield (asked += 1);
    }
    const merged = interleave([source()]);
    await merged.next();
    await sleep(5);
    expect(asked).toBe(1);
  });

  it('throws what a source throws', async () => {
    async function* broken() {
      yield 1;
      throw new Error('broke');
    }
    await expect(Array.fromAsync(interleave([countTo(1), broken()]))).rejects.toThrow('broke');
  });

  it('is over at once without sources', async () => {
    expect(await Array.fromAsync(interleave([]))).toEqual([]);
  });
});
