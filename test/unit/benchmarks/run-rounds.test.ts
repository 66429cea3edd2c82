import { describe, expect, it } from 'vitest';
import { hasTimeFor } from '../../../benchmarks/serve/run-rounds.ts';

describe('hasTimeFor', () => {
  it('measures the first round whatever the limit, and all without one', () => {
    expect(hasTimeFor(0, 9e9, 4)).toBe(true);
    expect(hasTimeFor(2, 9e9, null)).toBe(true);
  });

  it('begins a further round only where it would end in time', () => {
    expect(hasTimeFor(2, 120_000, 3)).toBe(true);
    expect(hasTimeFor(2, 120_001, 3)).toBe(false);
  });
});
