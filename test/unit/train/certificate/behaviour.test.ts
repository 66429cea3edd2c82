import { describe, expect, it } from 'vitest';
import { countEqual } from '../../../../src/train/certificate/behaviour.ts';

const eos = 2;
/** "Ab", "c", "—" in two tokens of which the first is no character yet, and EOS. */
const wanted = { ids: [10, 11, 12, 13, eos], text: 'Abc—</s>', ends: [2, 3, 3, 4, 8] };

describe('countEqual', () => {
  it('counts tokens before the first difference, in characters and not in bytes', () => {
    expect(countEqual(wanted, 'Axc', false, eos)).toBe(0);
    expect(countEqual(wanted, 'Abx', false, eos)).toBe(1);
    expect(countEqual(wanted, 'Abc— and on', false, eos)).toBe(4);
  });

  it('counts the EOS where both end there', () => {
    expect(countEqual(wanted, 'Abc—', true, eos)).toBe(5);
    expect(countEqual(wanted, 'Abc—', false, eos)).toBe(4);
    expect(countEqual(wanted, 'Abc— more', true, eos)).toBe(4);
  });

  it('counts all of an answer that was cut at its length', () => {
    const cut = { ids: [10, 11], text: 'Abc', ends: [2, 3] };
    expect(countEqual(cut, 'Abc', false, eos)).toBe(2);
  });
});
