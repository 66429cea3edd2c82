import { describe, expect, it } from 'vitest';
import { createDatedId, createRequestId } from '../../../src/core/ids.ts';

describe('createDatedId', () => {
  it('begins with prefix, date and time, and sorts by age as text', () => {
    const ids = ['2026-11-23T23:05:07Z', '2026-11-24T00:00:00Z', '2027-01-01T00:00:00Z'].map((at) => createDatedId('run', new Date(at)));
    expect(ids[0]).toMatch(/^run-20261123t230507-[0-9a-f]{8}$/);
    expect(ids.toSorted()).toEqual(ids);
  });

  it('differs within one second', () => {
    const now = new Date();
    expect(new Set(Array.from({ length: 50 }, () => createDatedId('run', now))).size).toBe(50);
  });
});

describe('createRequestId', () => {
  it('is the prefix and 24 hexadecimal digits, new each time', () => {
    expect(createRequestId('chatcmpl')).toMatch(/^chatcmpl-[0-9a-f]{24}$/);
    expect(createRequestId('req')).not.toBe(createRequestId('req'));
  });
});
