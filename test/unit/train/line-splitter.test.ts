import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, longestLineBytes } from '../../../src/train/line-splitter.ts';

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(40)), (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll('\n', ' '));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter();
        const got: string[] = [];
        let place = 0;
        for (const cut of [...cuts, bytes.length]) {
          got.push(...splitter.push(Buffer.from(bytes.subarray(place, place + cut))).map(({ text }) => text));
          place += cut;
        }
        expect(got).toEqual(lines);
        expect(splitter.end()).toEqual({ text: '', isTooLong: false });
      }),
    );
  });

  it('keeps the last line of a stream that ends without a newline', () => {
    const splitter = new LineSplitter();
    expect(splitter.push(Buffer.from('a\nhalf'))).toEqual([{ text: 'a', isTooLong: false }]);
    expect(splitter.end()).toEqual({ text: 'half', isTooLong: false });
  });

  it('takes a line of the greatest length, and keeps only the beginning of a longer one', () => {
    const splitter = new LineSplitter();
    const [whole] = splitter.push(Buffer.concat([Buffer.alloc(longestLineBytes, 'x'), Buffer.from('\n')]));
    expect([whole?.text.length, whole?.isTooLong]).toEqual([longestLineBytes, false]);
    const lines = splitter.push(Buffer.concat([Buffer.alloc(longestLineBytes + 1, 'y'), Buffer.from('\nnext\n')]));
    expect(lines).toEqual([
      { text: 'y'.repeat(1024), isTooLong: true },
      { text: 'next', isTooLong: false },
    ]);
  });

  it('holds a bounded piece of a line that never ends', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.alloc(256 << 10, 'z');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 400; count += 1) splitter.push(chunk);
    // 100 MiB went in.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 << 20);
    expect(splitter.end().text).toHaveLength(1024);
  });

  it('does not keep the caller’s buffer', () => {
    const splitter = new LineSplitter();
    const buffer = Buffer.from('abc');
    splitter.push(buffer);
    buffer.fill('x');
    expect(splitter.push(Buffer.from('\n'))[0]?.text).toBe('abc');
  });
});
