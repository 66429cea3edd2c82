import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOfJson, sha256, sha256OfFile } from '../../../src/core/digest.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** The same value with the keys of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

describe('sha256', () => {
  it('gives the known digests of FIPS 180-4', () => {
    expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('reads text as UTF-8', () => expect(sha256('ä–😀')).toBe(sha256(new TextEncoder().encode('ä–😀'))));
});

describe('sha256OfFile', () => {
  it('gives what sha256 gives of the same bytes, over several chunks', async () => {
    const file = path.join(temporaryFolder(), 'file.bin');
    const bytes = Uint8Array.from({ length: 2_500_000 }, (_value, index) => index % 251);
    await writeFile(file, bytes);
    expect(await sha256OfFile(file)).toBe(sha256(bytes));
  });

  it('rejects a missing file', async () => {
    await expect(sha256OfFile(path.join(temporaryFolder(), 'none'))).rejects.toThrow('ENOENT');
  });
});

describe('digestOfJson', () => {
  it('sorts keys at every depth: the digest is that of the sorted text', () => {
    expect(digestOfJson({ b: 1, a: { d: [{ z: 1, y: 2 }], c: null } })).toBe(sha256('{"a":{"c":null,"d":[{"y":2,"z":1}]},"b":1}'));
  });

  it('does not depend on the order of keys, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(digestOfJson(reversed(value))).toBe(digestOfJson(value));
      }),
    );
  });

  it('tells apart values that differ in order of elements, type or presence', () => {
    const values = [{ a: [1, 2] }, { a: [2, 1] }, { a: ['1', 2] }, { a: [1, 2], b: null }, {}, [], null, '', 0, false];
    expect(new Set(values.map(digestOfJson)).size).toBe(values.length);
  });
});
