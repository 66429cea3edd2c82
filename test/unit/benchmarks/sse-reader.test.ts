import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseReader } from '../../../benchmarks/serve/sse-reader.ts';

const stream =
  ': a comment\r\n\r\ndata: {"a":1}\n\nevent: error\ndata: first\ndata: second\n\nid: 7\n\ndata:no blank\r\n\r\ndata: [DONE]\n\n';
const events = [
  { event: '', data: '{"a":1}' },
  { event: 'error', data: 'first\nsecond' },
  { event: '', data: 'no blank' },
  { event: '', data: '[DONE]' },
];

describe('SseReader', () => {
  it('reads events, passes over comments and other fields, and takes both line ends', () => {
    expect(new SseReader().push(stream)).toEqual(events);
  });

  it('gives the same events wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length })), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const reader = new SseReader();
        const seen = places.slice(1).flatMap((end, index) => reader.push(stream.slice(places[index], end)));
        expect(seen).toEqual(events);
      }),
    );
  });

  it('keeps an event back until its blank line is there', () => {
    const reader = new SseReader();
    expect(reader.push('data: x\n')).toEqual([]);
    expect(reader.push('\n')).toEqual([{ event: '', data: 'x' }]);
  });
});
