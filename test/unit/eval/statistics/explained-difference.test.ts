import { describe, expect, it } from 'vitest';
import { explainDifference } from '../../../../src/eval/statistics/explained-difference.ts';

const items = (parts: readonly (readonly [number, number])[]) =>
  parts.map(([difference, explained], index) => ({ difference, explained, cluster: String(index) }));

describe('explainDifference', () => {
  it('parts the mean difference into two that add up to it, each with its interval', () => {
    const { explained, rest, share } = explainDifference(
      items([
        [1, 1],
        [1, 0],
        [0, 0],
        [-1, 0],
        [1, 1],
        [0, -0.5],
      ]),
    );
    if (!explained.isEstimable || !rest.isEstimable) throw new Error('not estimable');
    expect(explained.mean + rest.mean).toBeCloseTo(2 / 6, 12);
    expect(explained.mean).toBeCloseTo(1.5 / 6, 12);
    expect(share).toBeCloseTo(0.75, 12);
    expect(explained.low).toBeLessThan(explained.mean);
  });

  it('gives no share where there is no difference, and reasons where there is no spread', () => {
    expect(
      explainDifference(
        items([
          [1, 1],
          [-1, 0],
        ]),
      ).share,
    ).toBeNull();
    expect(explainDifference([])).toEqual({
      explained: { isEstimable: false, reason: 'there are no paired items' },
      rest: { isEstimable: false, reason: 'there are no paired items' },
      share: null,
    });
    expect(
      explainDifference(
        items([
          [1, 0],
          [0, 0],
        ]),
      ),
    ).toMatchObject({ explained: { isEstimable: false }, share: 0 });
  });
});
