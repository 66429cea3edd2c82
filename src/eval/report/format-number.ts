import type { DifferenceNats, DifferencePp, ReportShare } from '../schema/report.ts';

/** A share as percent with one decimal: "61.7 %". */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A number with its sign: "+4.6", "-1.7", "0.0". */
export function formatSigned(value: number, digits: number): string {
  const text = value.toFixed(digits);
  if (Number(text) === 0) return (0).toFixed(digits);
  return value > 0 ? `+${text}` : text;
}

/** A share with its interval: "61.7 % (49.0 to 72.9)". */
export function formatShareWithInterval(value: ReportShare): string {
  return value.isEstimable
    ? `${formatShare(value.share)} (${(100 * value.low).toFixed(1)} to ${(100 * value.high).toFixed(1)})`
    : 'not estimable';
}

/** A difference with its interval: "+4.6 pp (+1.6 to +7.7)"; nats with three decimals. */
export function formatDifference(difference: DifferencePp | DifferenceNats): string {
  if (!difference.isEstimable) return 'not estimable';
  const digits = difference.unit === 'pp' ? 1 : 3;
  return `${formatSigned(difference.mean, digits)} ${difference.unit} (${formatSigned(difference.low, digits)} to ${formatSigned(difference.high, digits)})`;
}

/** A p-value, never printed as 0; null where there is none. */
export function formatP(p: number | null): string {
  if (p === null) return '–';
  return p < 0.0001 ? '< 0.0001' : p.toFixed(4);
}
