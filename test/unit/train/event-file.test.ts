import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { endHalfLine, followEvents, readEvents } from '../../../src/train/event-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const noticeOf = (message: string): TrainEvent => ({ type: 'notice', at: '2026-11-23T23:05:00Z', message });
const lineOf = (message: string): string => `${JSON.stringify(noticeOf(message))}\n`;
const newFile = (text?: string | Uint8Array): string => {
  const file = path.join(temporaryFolder(), 'events.jsonl');
  if (text !== undefined) writeFileSync(file, text);
  return file;
};
const messagesOf = (events: readonly TrainEvent[]): string[] =>
  events.map((event) => (event.type === 'notice' ? event.message : event.type));

describe('readEvents', () => {
  it('gives all whole lines in order and leaves a half one at the end', async () => {
    expect(messagesOf(await readEvents(newFile(lineOf('a') + lineOf('b') + lineOf('c').slice(0, 30))))).toEqual(['a', 'b']);
  });

  it('skips lines that are no events: noise, other types, half lines of a killed trainer', async () => {
    const text = `${lineOf('a')}\nTraceback (most recent call last)\n{"type":"unknown"}\n{"type":"notice","message":"no time"}\n{"ty\n${lineOf('b')}`;
    expect(messagesOf(await readEvents(newFile(text)))).toEqual(['a', 'b']);
  });

  it('finds nothing in an empty and in a missing file', async () => {
    expect(await readEvents(newFile(''))).toEqual([]);
    expect(await readEvents('/none/events.jsonl')).toEqual([]);
  });
});

describe('readEvents with more than events', () => {
  it('tells of each line that is no event, the last half one too', async () => {
    const noise: string[] = [];
    const text = `${lineOf('a')}\n  \nnoise\n{"type":"unknown"}\n7\nnull\n${lineOf('b')}{"half`;
    const events = await readEvents(newFile(text), { onNoise: (line) => noise.push(line) });
    expect(messagesOf(events)).toEqual(['a', 'b']);
    expect(noise).toEqual(['noise', '{"type":"unknown"}', '7', 'null', '{"half']);
  });

  it('gets over a flood of bytes without a newline, and finds the events behind it', async () => {
    const noise: number[] = [];
    const file = newFile(lineOf('a'));
    for (let piece = 0; piece < 40; piece += 1) appendFileSync(file, Buffer.alloc(1 << 20));
    appendFileSync(file, `\n${lineOf('b')}`);
    expect(messagesOf(await readEvents(file, { onNoise: (line) => noise.push(line.length) }))).toEqual(['a', 'b']);
    expect(noise).toEqual([1024]);
  });

  it('begins where it is told', async () => {
    const file = newFile(lineOf('a') + lineOf('b'));
    expect(messagesOf(await readEvents(file, { fromBytes: lineOf('a').length }))).toEqual(['b']);
  });
});

describe('events with notices beside them', () => {
  const at = (message: string, second: number): TrainEvent => ({ type: 'notice', at: `2026-11-23T23:05:${second + 10}.000Z`, message });
  const lines = (...events: TrainEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');

  it('puts each in its place by time, the last ones at the end', async () => {
    const notices = newFile(lines(at('lost', 2), at('back', 4), at('removed', 9)));
    const file = newFile(lines(at('a', 1), at('b', 3), at('c', 5)));
    expect(messagesOf(await readEvents(file, { notices }))).toEqual(['a', 'lost', 'b', 'back', 'c', 'removed']);
    expect(messagesOf(await readEvents(file, { notices: '/none/notices.jsonl' }))).toEqual(['a', 'b', 'c']);
  });

  it('holds one back while earlier events are still to be read', async () => {
    const many = Array.from({ length: 5000 }, (_, index) => at(`event ${index} ${'x'.repeat(100)}`, 1));
    const file = newFile(lines(...many));
    const events = await readEvents(file, { notices: newFile(lines(at('at the end', 2))) });
    expect(events).toHaveLength(5001);
    expect(events.at(-1)).toMatchObject({ message: 'at the end' });
  });

  it('gives one while no event comes: the other machine is away', async () => {
    const [file, notices] = [newFile(lines(at('a', 1))), newFile('')];
    const seen: string[] = [];
    for await (const event of followEvents(file, { notices, pollMs: 5, isActive: () => seen.length < 2 })) {
      seen.push(...messagesOf([event]));
      if (seen.length === 1) appendFileSync(notices, lines(at('lost', 2)));
    }
    expect(seen).toEqual(['a', 'lost']);
  });
});

describe('endHalfLine', () => {
  it('ends a half line, and leaves whole ones and empty files as they are', async () => {
    for (const [before, after] of [
      ['', ''],
      [lineOf('a'), lineOf('a')],
      ['{"ty', '{"ty\n'],
    ] as const) {
      const file = newFile(before);
      expect(await endHalfLine(file)).toBe(after.length);
      expect(readFileSync(file, 'utf8')).toBe(after);
    }
    expect(await endHalfLine(newFile())).toBe(0);
  });
});

describe('followEvents', () => {
  /** Follows a file; `next` waits for one more event, `finish` says that nothing more is written. */
  function follow(file: string, signal?: AbortSignal) {
    let isActive = true;
    const events = followEvents(file, { isActive: () => isActive, signal });
    return {
      next: async (): Promise<string | undefined> => {
        const { value } = await events.next();
        return value ? messagesOf([value])[0] : undefined;
      },
      finish: (): void => {
        isActive = false;
      },
    };
  }

  it('gives events as they are written, also to a file that is not there yet', async () => {
    const file = newFile();
    const live = follow(file);
    const first = live.next();
    writeFileSync(file, lineOf('a'));
    expect(await first).toBe('a');
    const second = live.next();
    appendFileSync(file, lineOf('b') + lineOf('c'));
    expect([await second, await live.next()]).toEqual(['b', 'c']);
    live.finish();
    expect(await live.next()).toBeUndefined();
  });

  it('puts together a line that is written in pieces, cut inside characters too', async () => {
    const bytes = Buffer.from(`${lineOf('ä – 😀 – 甲状腺')}${lineOf('end')}`);
    // Every piece of three bytes cuts most of these characters.
    const file = newFile(bytes.subarray(0, 3));
    const live = follow(file);
    const first = live.next();
    let place = 3;
    const writing = (async () => {
      for (; place < bytes.length; place += 3) {
        appendFileSync(file, bytes.subarray(place, place + 3));
        await new Promise((resolve) => void setImmediate(resolve));
      }
    })();
    expect(await first).toBe('ä – 😀 – 甲状腺');
    expect(await live.next()).toBe('end');
    await writing;
  });

  it('reads what came between the last look and the end', async () => {
    const file = newFile(lineOf('a'));
    let looks = 0;
    const events = followEvents(file, {
      isActive: () => {
        looks += 1;
        // The trainer writes its last words and ends while nobody reads.
        if (looks === 2) appendFileSync(file, lineOf('last words'));
        return looks < 2;
      },
    });
    expect(messagesOf(await Array.fromAsync(events))).toEqual(['a', 'last words']);
  });

  it('ends when its signal aborts, though more may come', async () => {
    const controller = new AbortController();
    const live = follow(newFile(lineOf('a')), controller.signal);
    expect(await live.next()).toBe('a');
    const waiting = live.next();
    controller.abort();
    expect(await waiting).toBeUndefined();
  });
});
