import { describe, expect, it } from 'vitest';
import { RequestGate } from '../../../../src/engine/openai/request-gate.ts';

const never = new AbortController().signal;

describe('RequestGate', () => {
  it('lets in so many at once, the others in the order of their arrival', async () => {
    const gate = new RequestGate(2, 9);
    const order: number[] = [];
    const leaves: (() => void)[] = [];
    const all = [0, 1, 2, 3].map(async (number) => {
      leaves.push(await gate.enter(never));
      order.push(number);
    });
    await Promise.all(all.slice(0, 2));
    expect([gate.running, gate.waiting, order]).toEqual([2, 2, [0, 1]]);
    leaves[0]?.();
    await all[2];
    expect([gate.running, gate.waiting, order]).toEqual([2, 1, [0, 1, 2]]);
    leaves[1]?.();
    await all[3];
    for (const leave of leaves) leave();
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });

  it('is full when all places are taken, those to wait in too', async () => {
    const gate = new RequestGate(1, 1);
    const leave = await gate.enter(never);
    expect(gate.isFull).toBe(false);
    const second = gate.enter(never);
    expect(gate.isFull).toBe(true);
    leave();
    (await second)();
    expect(gate.isFull).toBe(false);
  });

  it('drops from the queue whoever gives up, and nobody else', async () => {
    const gate = new RequestGate(1, 9);
    const leave = await gate.enter(never);
    const impatient = new AbortController();
    const second = gate.enter(impatient.signal);
    const third = gate.enter(never);
    impatient.abort(new Error('no longer wanted'));
    await expect(second).rejects.toThrow('no longer wanted');
    leave();
    leave();
    (await third)();
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });

  it('keeps its count when one gives up in the same moment in which its turn comes', async () => {
    const gate = new RequestGate(1, 9);
    const leave = await gate.enter(never);
    const late = new AbortController();
    const second = gate.enter(late.signal);
    const third = gate.enter(never);
    leave();
    late.abort(new Error('too late'));
    (await second)();
    (await third)();
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });
});
