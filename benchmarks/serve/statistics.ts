/** Middle of figures over rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The figures of one measured quantity over all its events, in the unit of the values. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/**
 * Quantile with linear interpolation between neighbours (type 7 of Hyndman and Fan, as R and NumPy have it).
 *
 * @param share 0 to 1
 * @throws RangeError where there are no values: a figure of nothing would pass for a measurement
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (low === undefined || high === undefined) throw new RangeError('There is no quantile of no values.');
  return low + (high - low) * (place - Math.floor(place));
}

/** The three quantiles that are reported of every latency. Throws RangeError for no values. */
export function percentilesOf(values: readonly number[]): Percentiles {
  return { p50: quantile(values, 0.5), p95: quantile(values, 0.95), p99: quantile(values, 0.99) };
}

/** Median, least and greatest. Throws RangeError for no values. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** Arithmetic mean. Throws RangeError for no values. */
export function meanOf(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('There is no mean of no values.');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
