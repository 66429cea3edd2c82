import { deriveSeed, createRandom } from '../../core/rng.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { parseSplit, rowsOfSlice } from './split-slice.ts';

/** Positions (from 0) in a split, in its order. */
export interface Selection {
  readonly train: readonly number[];
  readonly heldOut: readonly number[];
}

type Wanted = Pick<Recipe['data'], 'split' | 'offset' | 'limit' | 'heldOutRows' | 'heldOutSeed'>;

/**
 * Which rows are trained on and which are held out, by position alone. Held-out rows follow the trained ones, or are the last
 * ones without a limit; with a seed they are drawn, from all rows but the limited ones. Either may come out empty or short.
 *
 * @throws OSLER_ERR_USAGE for a split that cannot be read
 */
export function selectRows(rowCount: number, wanted: Wanted): Selection {
  const { offset, limit } = boundsOf(rowCount, wanted);
  const start = Math.min(offset, rowCount);
  const end = limit === null ? rowCount : Math.min(start + limit, rowCount);
  if (wanted.heldOutSeed !== null) return drawn(rowCount, { start, end, isLimited: limit !== null }, wanted.heldOutRows, wanted.heldOutSeed);
  if (limit !== null) return { train: range(start, end), heldOut: range(end, Math.min(end + wanted.heldOutRows, rowCount)) };
  const border = Math.max(start, rowCount - wanted.heldOutRows);
  return { train: range(start, border), heldOut: range(border, rowCount) };
}

/** Offset and limit, also where the recipe's split carries a slice, which they then begin in. */
function boundsOf(rowCount: number, { split, offset, limit }: Wanted): { offset: number; limit: number | null } {
  if (!/[[(+]/.test(split)) return { offset, limit };
  const slice = rowsOfSlice(parseSplit(split), rowCount);
  const first = Math.min(slice.start + offset, slice.end);
  return { offset: first, limit: Math.min(limit ?? Infinity, slice.end - first) };
}

function drawn(
  rowCount: number,
  { start, end, isLimited }: { start: number; end: number; isLimited: boolean },
  count: number,
  seed: number,
): Selection {
  const pool = isLimited ? [...range(0, start), ...range(end, rowCount)] : range(0, rowCount);
  const random = createRandom(deriveSeed(seed, 'held-out rows'));
  const taken = Math.min(count, pool.length);
  // The first steps of a Fisher-Yates shuffle: a draw without replacement.
  for (let index = 0; index < taken; index += 1) {
    const other = index + Math.floor(random() * (pool.length - index));
    [pool[index], pool[other]] = [pool[other] ?? 0, pool[index] ?? 0];
  }
  const heldOut = pool.slice(0, taken).toSorted((a, b) => a - b);
  const out = new Set(heldOut);
  return { train: range(start, end).filter((row) => !out.has(row)), heldOut };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_value, index) => start + index);
}
