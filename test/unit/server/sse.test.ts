import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sseBlock, sseStream } from '../../../src/server/sse.ts';
import { parseSse } from '../../integration/support/wire.ts';

async function* blocksAfter(...pausesMs: number[]): AsyncGenerator<string, void> {
  for (const [index, pauseMs] of pausesMs.entries()) {
    await sleep(pauseMs);
    yield sseBlock(String(index));
  }
}

describe('sseStream', () => {
  it('sends comments while nothing comes, and loses no block to them', async () => {
    const blocks = parseSse(await text(sseStream(blocksAfter(0, 200, 0), { keepAliveMs: 20 })));
    expect(blocks.filter((block) => block.data !== null).map((block) => block.data)).toEqual(['0', '1', '2']);
    const comments = blocks.slice(1, -2);
    expect(comments.length).toBeGreaterThanOrEqual(2);
    expect(new Set(comments.map((block) => block.comment))).toEqual(new Set(['keep-alive']));
  });

  it('leaves out blocks without text', async () => {
    async function* blocks() {
      yield* ['', sseBlock('a'), '', ''];
    }
    expect(await text(sseStream(blocks()))).toBe('data: a\n\n');
  });

  it('takes nothing ahead of a reader that does not read', async () => {
    let taken = 0;
    async function* blocks() {
      for (;;) {
        taken += 1;
        yield sseBlock('x'.repeat(10_000));
      }
    }
    const stream = sseStream(blocks());
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    await sleep(50);
    const before = taken;
    expect(before).toBeLessThan(30);
    await sleep(50);
    expect(taken).toBe(before);
    stream.destroy();
  });

  it('cuts off a reader that takes nothing, and closes its source; one that reads slowly stays', async () => {
    const closed: string[] = [];
    async function* blocks(name: string) {
      try {
        for (;;) yield sseBlock('x'.repeat(10_000));
      } finally {
        closed.push(name);
      }
    }
    const limits = { keepAliveMs: 10, stallMs: 300 };
    const [stalled, slow] = [sseStream(blocks('stalled'), limits), sseStream(blocks('slow'), limits)];
    const [one, other] = [stalled, slow].map((stream) => stream[Symbol.asyncIterator]());
    await one?.next();
    for (let reads = 0; reads < 30; reads += 1) {
      await other?.next();
      await sleep(20);
    }
    expect([stalled.destroyed, slow.destroyed]).toEqual([true, false]);
    expect(closed).toEqual(['stalled']);
    slow.destroy();
  });

  it('closes its source when the reader leaves', async () => {
    let isClosed = false;
    async function* blocks() {
      try {
        for (let index = 0; ; index += 1) yield sseBlock(String(index));
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of sseStream(blocks())) break;
    await sleep(0);
    expect(isClosed).toBe(true);
  });

  it('passes the source’s error on after comments, without an unhandled rejection', async () => {
    async function* blocks() {
      await sleep(50);
      yield* [] as string[];
      throw new Error('source broke');
    }
    await expect(text(sseStream(blocks(), { keepAliveMs: 10 }))).rejects.toThrow('source broke');
  });
});

describe('sseBlock', () => {
  it('names an event where there is a name', () => {
    expect(sseBlock('{}', 'state')).toBe('event: state\ndata: {}\n\n');
    expect(sseBlock('{}')).toBe('data: {}\n\n');
  });
});
