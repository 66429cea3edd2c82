import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../../../src/server/websocket/frames.ts';
import { PendingFrames } from '../../../../src/server/websocket/pending-frames.ts';

const closed: ServerFrame = { type: 'thought-closed', id: 'a', how: 'model' };

function takeAll(pending: PendingFrames): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let frame = pending.take(); frame !== undefined; frame = pending.take()) frames.push(frame);
  return frames;
}

/** Whether a promise is settled already. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
}

describe('frames that wait', () => {
  it('are merged where they are neighbouring deltas, and keep their order', () => {
    const pending = new PendingFrames(100);
    pending.pushText('a', 'I ', '');
    pending.pushText('a', 'weigh.', '');
    pending.push(closed);
    pending.pushText('a', '', 'Scurvy');
    pending.pushText('a', '', '.');
    expect(takeAll(pending)).toEqual([
      { type: 'delta', id: 'a', seq: 0, reasoning_content: 'I weigh.' },
      closed,
      { type: 'delta', id: 'a', seq: 1, content: 'Scurvy.' },
    ]);
  });

  it('hold a thought and the answer after it in one, but never a thought after an answer', () => {
    const pending = new PendingFrames(100);
    pending.pushText('a', 'So', ' it is.');
    pending.pushText('a', 'But', '');
    expect(takeAll(pending)).toEqual([
      { type: 'delta', id: 'a', seq: 0, reasoning_content: 'So', content: ' it is.' },
      { type: 'delta', id: 'a', seq: 1, reasoning_content: 'But' },
    ]);
  });

  it('make no frame of no text', () => {
    const pending = new PendingFrames(100);
    pending.pushText('a', '', '');
    expect(pending.take()).toBeUndefined();
  });

  it('give the same text and consecutive numbers, however they are taken', () => {
    const step = fc.record({ answer: fc.string(), isTaken: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const pending = new PendingFrames(1 << 20);
        const taken: (ServerFrame | undefined)[] = [];
        for (const { answer, isTaken } of steps) {
          pending.pushText('a', '', answer);
          if (isTaken) taken.push(pending.take());
        }
        const deltas = [...taken, ...takeAll(pending)].filter((frame) => frame?.type === 'delta');
        expect(deltas.map((frame) => frame.content ?? '').join('')).toBe(steps.map(({ answer }) => answer).join(''));
        expect(deltas.map((frame) => frame.seq)).toEqual(deltas.map((_, index) => index));
      }),
    );
  });

  it('ask for no more text than the limit until some is taken', async () => {
    const pending = new PendingFrames(10);
    pending.pushText('a', '', 'nine chars');
    const room = pending.room();
    expect(await isSettled(room)).toBe(false);
    pending.take();
    await room;
    expect(await isSettled(pending.room())).toBe(true);
  });

  it('are empty once all were taken, and leave room and nothing once they are dropped', async () => {
    const pending = new PendingFrames(1);
    pending.push(closed);
    pending.pushText('a', '', 'text');
    const [room, empty] = [pending.room(), pending.empty()];
    pending.take();
    expect(await isSettled(empty)).toBe(false);
    pending.clear();
    await Promise.all([room, empty]);
    expect(pending.take()).toBeUndefined();
  });
});
