import type { LengthDistribution } from './schema/report.ts';
import { quantileOfSorted } from './statistics/cluster-bootstrap.ts';

const wantedBins = 24;

/** Lengths of both arms in bins that they share, so that the plots can be laid over each other. Both arms need a sample. */
export function describeLengths(lengthsTokens: Readonly<Record<'base' | 'tuned', readonly number[]>>): LengthDistribution {
  const longest = [...lengthsTokens.base, ...lengthsTokens.tuned].reduce((largest, length) => Math.max(largest, length), 1);
  const binWidthTokens = roundUpToNiceNumber(longest / wantedBins);
  const binCount = Math.floor(longest / binWidthTokens) + 1;
  const describe = (lengths: readonly number[]): LengthDistribution['arms']['base'] => {
    const sorted = lengths.toSorted((a, b) => a - b);
    const bins = Array.from({ length: binCount }, () => 0);
    for (const length of lengths) {
      const bin = Math.floor(length / binWidthTokens);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    return { median: quantileOfSorted(sorted, 0.5), p95: quantileOfSorted(sorted, 0.95), max: sorted.at(-1) ?? 0, bins };
  };
  return { binWidthTokens, arms: { base: describe(lengthsTokens.base), tuned: describe(lengthsTokens.tuned) } };
}

function roundUpToNiceNumber(value: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return ([1, 2, 5, 10].find((factor) => factor * magnitude >= value) ?? 10) * magnitude;
}
