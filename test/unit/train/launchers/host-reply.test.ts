import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostFailure, HostReply } from '../../../../src/train/launchers/host-reply.ts';

function read(output: Buffer, cuts: readonly number[] = []): { reply: HostReply; bytes: Buffer } {
  const reply = new HostReply();
  const ends = [...cuts.map((cut) => cut % (output.length + 1)).toSorted((a, b) => a - b), output.length];
  const bytes = ends.map((end, index) => reply.take(output.subarray(ends[index - 1] ?? 0, end)));
  return { reply, bytes: Buffer.concat(bytes) };
}

describe('HostReply', () => {
  it('finds the reply and its bytes however the output is cut, and whatever a login script printed before', () => {
    const output = Buffer.concat([Buffer.from('Welcome!\nOSLER-HOST\nOSLER-HOST-1\n{"a":"ä"}\n'), Buffer.from([0, 10, 255, 10])]);
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        const { reply, bytes } = read(output, cuts);
        expect(reply.reply).toEqual({ a: 'ä' });
        expect(bytes).toEqual(Buffer.from([0, 10, 255, 10]));
      }),
    );
  });

  it('is not complete where the output ends too early', () => {
    expect(read(Buffer.from('OSLER-HOST-1\n{"a":1}')).reply.isComplete).toBe(false);
    expect(read(Buffer.from('Welcome!\n')).reply.isComplete).toBe(false);
  });

  it('throws what the host tells of', () => {
    const { reply } = read(Buffer.from('OSLER-HOST-1\n{"error":"diskFull","message":"No space left: /x"}\n'));
    expect(() => reply.reply).toThrow(HostFailure);
    expect(() => reply.reply).toThrow('No space left: /x');
  });
});
