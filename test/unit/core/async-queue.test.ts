import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AsyncQueue } from '../../../src/core/async-queue.ts';

/** What the producer does next: add a value, or let the consumer run. */
const Step = fc.oneof(
  fc.anything().map((value) => ({ push: [value] })),
  fc.constant('pause' as const),
);

const pause = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function play(queue: AsyncQueue<unknown>, steps: readonly ({ push: unknown[] } | 'pause')[]): Promise<void> {
  for (const step of steps) {
    if (step === 'pause') await pause();
    else queue.push(step.push[0]);
  }
}

describe('AsyncQueue', () => {
  it('gives every value once and in order, however pushes and takes fall', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(Step, { maxLength: 20 }), async (steps) => {
        const queue = new AsyncQueue<unknown>();
        const taken = Array.fromAsync(queue);
        await play(queue, steps);
        queue.end();
        expect(await taken).toEqual(steps.flatMap((step) => (step === 'pause' ? [] : step.push)));
      }),
    );
  });

  it('gives what was pushed before the consumer came', async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.push(2);
    queue.end();
    expect(await Array.fromAsync(queue)).toEqual([1, 2]);
  });

  it('throws the error of its end, after all values', async () => {
    const queue = new AsyncQueue<number>();
    const taken: number[] = [];
    const consuming = (async () => {
      for await (const value of queue) taken.push(value);
    })();
    queue.push(1);
    await pause();
    queue.push(2);
    queue.end(new Error('the engine died'));
    await expect(consuming).rejects.toThrow('the engine died');
    expect(taken).toEqual([1, 2]);
  });

  it('ends a consumer that waits', async () => {
    const queue = new AsyncQueue<number>();
    const taken = Array.fromAsync(queue);
    await pause();
    queue.end();
    expect(await taken).toEqual([]);
  });

  it('drops what comes after the end, a second end included', async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.end();
    queue.push(2);
    queue.end(new Error('too late'));
    expect(await Array.fromAsync(queue)).toEqual([1]);
  });
});
