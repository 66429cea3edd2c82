import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSse } from '../../../../src/engine/openai/sse-events.ts';

/** The events of a text that arrives in pieces of so many bytes. */
async function eventsOf(text: string, pieceBytes = Infinity): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += Math.min(pieceBytes, bytes.length)) yield bytes.subarray(start, start + pieceBytes);
  }
  return await Array.fromAsync(readSse(pieces()));
}

describe('readSse', () => {
  it('gives the data of each event, whatever ends its lines', async () => {
    expect(await eventsOf('data: a\n\ndata:b\r\n\r\ndata: c\r\rdata: d\n\n')).toEqual(['a', 'b', 'c', 'd']);
  });

  it('joins data lines, and leaves out comments and fields it does not know', async () => {
    expect(await eventsOf(': ping\n\nevent: x\nid: 7\ndata: one\ndata: two\nretry: 5\n\n: done\n\n')).toEqual(['one\ntwo']);
  });

  it('keeps an empty data line and a second space', async () => {
    expect(await eventsOf('data\n\ndata:  a\n\n')).toEqual(['', ' a']);
  });

  it('gives what stands before the end without a blank line', async () => {
    expect(await eventsOf('data: a\n\ndata: [DONE]')).toEqual(['a', '[DONE]']);
    expect(await eventsOf('data: a\r')).toEqual(['a']);
  });

  it('reads the field in which older llama-servers put their errors', async () => {
    expect(await eventsOf('error: {"code":500}\n\n')).toEqual(['{"error":{"code":500}}']);
  });

  it('does not depend on how the bytes are cut, within characters and line ends too', async () => {
    const line = fc.constantFrom('data: naïve 🙂', 'data:', ': c', 'data: {"a":1}', 'event: e', '');
    const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 12 }).map((parts) => parts.flat().join(''));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (all, size) => {
        expect(await eventsOf(all, size)).toEqual(await eventsOf(all));
      }),
    );
  });

  it('reads a line of megabytes that comes in small pieces', async () => {
    const long = 'x'.repeat(3 << 20);
    expect(await eventsOf(`data: ${long}\n\n`, 4 << 10)).toEqual([long]);
  });

  it('gives up on a line without end', async () => {
    await expect(eventsOf(`data: ${'x'.repeat(9 << 20)}`, 64 << 10)).rejects.toThrow('a line of more than');
  });
});
