import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectRows } from '../../../../src/train/data/select-rows.ts';

const wanted = { split: 'train', offset: 0, limit: null, heldOutRows: 0, heldOutSeed: null };

describe('selectRows', () => {
  it.each([
    [{ heldOutRows: 3 }, [0, 1, 2, 3, 4, 5, 6], [7, 8, 9]],
    [{ offset: 2, limit: 3, heldOutRows: 2 }, [2, 3, 4], [5, 6]],
    [{ offset: 2, heldOutRows: 2 }, [2, 3, 4, 5, 6, 7], [8, 9]],
    [{ limit: 9, heldOutRows: 5 }, [0, 1, 2, 3, 4, 5, 6, 7, 8], [9]],
    [{ limit: 50, heldOutRows: 5 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], []],
    [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], []],
    [{ offset: 10, limit: 5 }, [], []],
    [{ heldOutRows: 25 }, [], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ split: 'train[:30%]', heldOutRows: 2 }, [0, 1, 2], [3, 4]],
    [{ split: 'train[-4:-1]', heldOutRows: 2 }, [6, 7, 8], [9]],
    [{ split: 'train[50%:]', offset: 1, limit: 2, heldOutRows: 1 }, [6, 7], [8]],
  ])('cuts ten rows by %j', (changes, train, heldOut) => expect(selectRows(10, { ...wanted, ...changes })).toEqual({ train, heldOut }));

  it('draws the same held-out rows with the same seed, and others with another', () => {
    const draw = (heldOutSeed: number) => selectRows(500, { ...wanted, heldOutRows: 50, heldOutSeed });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1).heldOut).not.toEqual(draw(2).heldOut);
    // Frozen: another draw would make a resumed or repeated run hold out other rows.
    expect(selectRows(20, { ...wanted, heldOutRows: 5, heldOutSeed: 3407 }).heldOut).toMatchInlineSnapshot(`
      [
        2,
        5,
        12,
        17,
        18,
      ]
    `);
  });

  it('draws every row about equally often', () => {
    const counts = Array.from({ length: 20 }, () => 0);
    for (let seed = 0; seed < 2000; seed += 1)
      for (const row of selectRows(20, { ...wanted, heldOutRows: 5, heldOutSeed: seed }).heldOut) counts[row] = (counts[row] ?? 0) + 1;
    // 500 expected, standard deviation 19.4: five of them on either side.
    expect(Math.min(...counts)).toBeGreaterThan(403);
    expect(Math.max(...counts)).toBeLessThan(597);
  });

  it('never holds out a trained position, nor one twice, and takes what it is asked for where there is enough', () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.record({
          split: fc.constantFrom('train', 'train[:50%]', 'train[-20:]'),
          offset: fc.nat(20),
          limit: fc.option(fc.integer({ min: 1, max: 40 })),
          heldOutRows: fc.nat(20),
          heldOutSeed: fc.option(fc.nat(1000)),
        }),
        (rows, data) => {
          const { train, heldOut } = selectRows(rows, data);
          const trained = new Set(train);
          expect(trained.size).toBe(train.length);
          expect(new Set(heldOut).size).toBe(heldOut.length);
          expect(heldOut.filter((row) => trained.has(row))).toEqual([]);
          expect([...train, ...heldOut].every((row) => row >= 0 && row < rows)).toBe(true);
          expect(heldOut.length).toBeLessThanOrEqual(data.heldOutRows);
          const isDrawnFromAll = data.heldOutSeed !== null && data.limit === null && data.split === 'train';
          if (isDrawnFromAll) expect(heldOut.length).toBe(Math.min(data.heldOutRows, rows));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
