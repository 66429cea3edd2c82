import { OSLER_ERR_USAGE } from '../../core/errors.ts';
import type { Recipe } from '../../core/schema/recipe.ts';

/** A split and the rows of it that are meant, as `datasets` writes them: `train`, `train[0:500]`, `train[:10%]`, `train[-100:]`. */
export interface SplitSlice {
  readonly split: string;
  /** First row; negative: counted from the end; null: from the beginning. */
  readonly from: number | null;
  /** Row after the last; negative: counted from the end; null: to the end. */
  readonly to: number | null;
  /** One `%` makes both bounds percent. */
  readonly unit: 'rows' | 'percent';
  /** How percents become rows: to the nearest row (halves to the even one), or as multiples of a whole 1 %. */
  readonly rounding: 'closest' | 'pct1_dropremainder';
}

const bound = String.raw`-?\d+(?:_\d+)*`;
const pattern = new RegExp(
  String.raw`^(?<split>[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*)(?<slice>\[(?:(?<from>${bound})(?<fromPercent>%)?)?:(?:(?<to>${bound})(?<toPercent>%)?)?\])?(?:\((?<rounding>[^)]*)\))?$`,
  'u',
);

/**
 * Reads a split in the syntax of Hugging Face `datasets` 4 (`ReadInstruction.from_spec`). Sums (`train+test`) are refused.
 *
 * @throws OSLER_ERR_USAGE
 */
export function parseSplit(text: string): SplitSlice {
  const groups = pattern.exec(text)?.groups;
  const { split, rounding } = groups ?? {};
  if (groups === undefined || split === undefined) throw refusal(text, 'it has another form');
  const unit = groups['fromPercent'] === undefined && groups['toPercent'] === undefined ? 'rows' : 'percent';
  const [from, to] = [boundOf(groups['from']), boundOf(groups['to'])];
  if (unit === 'percent' && [from, to].some((value) => value !== null && Math.abs(value) > 100))
    throw refusal(text, 'percents reach from -100 to 100');
  if (rounding !== undefined && unit !== 'percent') throw refusal(text, 'a rounding goes with percents only');
  if (rounding !== undefined && rounding !== 'closest' && rounding !== 'pct1_dropremainder')
    throw refusal(text, `there is no rounding "${rounding}", only closest and pct1_dropremainder`);
  return { split, from, to, unit, rounding: rounding ?? 'closest' };
}

/**
 * The rows that a slice means in a split of so many rows, `end` exclusive. As in `datasets`, bounds beyond the end are
 * drawn in; where `from` is not before `to` there are none.
 *
 * @throws OSLER_ERR_USAGE for pct1_dropremainder on less than 100 rows
 */
export function rowsOfSlice(slice: SplitSlice, rowCount: number): { start: number; end: number } {
  const toRows = (value: number): number => {
    if (slice.unit === 'rows') return value;
    if (slice.rounding === 'closest') return roundHalfToEven((value * rowCount) / 100);
    if (rowCount < 100)
      throw new OSLER_ERR_USAGE(`The rounding pct1_dropremainder needs 100 rows or more, and the split "${slice.split}" has ${rowCount}.`);
    return value * Math.trunc(rowCount / 100);
  };
  const within = (value: number): number => Math.min(value < 0 ? Math.max(rowCount + value, 0) : value, rowCount);
  const start = within(slice.from === null ? 0 : toRows(slice.from));
  const end = within(slice.to === null ? rowCount : toRows(slice.to));
  return { start, end: Math.max(start, end) };
}

/**
 * The settings of a recipe that a slice stands for. Whole numbers from the beginning become `data.offset` and `data.limit`;
 * negative and percent bounds, which need the number of rows, stay in `data.split` until the rows are read.
 *
 * @throws OSLER_ERR_USAGE
 */
export function splitSettings(text: string): Pick<Recipe['data'], 'split' | 'offset' | 'limit'> {
  const { split, from, to, unit } = parseSplit(text);
  if (from === null && to === null) return { split, offset: 0, limit: null };
  const isPlain = unit === 'rows' && (from ?? 0) >= 0 && (to ?? 0) >= 0;
  if (!isPlain) return { split: text, offset: 0, limit: null };
  const offset = from ?? 0;
  if (to !== null && to <= offset) throw new OSLER_ERR_USAGE(`The slice "${text}" is empty: it ends at row ${to} and begins at ${offset}.`);
  return { split, offset, limit: to === null ? null : to - offset };
}

function boundOf(text: string | undefined): number | null {
  return text === undefined ? null : Number(text.replaceAll('_', ''));
}

/** Python's `round`. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function refusal(text: string, why: string): Error {
  return new OSLER_ERR_USAGE(
    `"${text}" cannot be read as a split: ${why}. Write a name, or a name with one slice: train, train[0:500], train[:10%], train[-100:].`,
  );
}
