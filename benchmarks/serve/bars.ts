import { type Cell, type FigureName, ratioOf } from './comparison.ts';

/** A ratio that a release must reach: on two cores, with the small model and an engine with OpenMP. */
interface Bar {
  readonly figure: FigureName;
  readonly clients: number;
  readonly limit: number;
  readonly isLeast: boolean;
}

const bars: readonly Bar[] = [
  { figure: 'throughput', clients: 1, limit: 0.75, isLeast: true },
  { figure: 'throughput', clients: 8, limit: 0.95, isLeast: true },
  { figure: 'throughput', clients: 16, limit: 0.95, isLeast: true },
  { figure: 'ttftP95', clients: 8, limit: 1.1, isLeast: false },
];

/** A bar beside what was measured. */
export interface BarOutcome {
  readonly figure: FigureName;
  readonly clients: number;
  readonly limit: number;
  readonly ratio: number;
  readonly isMet: boolean;
}

/** Holds the ratios of one workload against the bars; bars on loads that were not measured are left out. */
export function holdAgainstBars(cells: readonly Cell[]): BarOutcome[] {
  return bars.flatMap(({ figure, clients, limit, isLeast }) => {
    const cell = cells.find((candidate) => candidate.clients === clients && candidate.workload === 'short');
    const ratio = cell === undefined ? undefined : ratioOf(cell, figure)?.median;
    if (ratio === undefined) return [];
    return [{ figure, clients, limit, ratio, isMet: isLeast ? ratio >= limit : ratio <= limit }];
  });
}

/** A bar in words. */
export function describeBar(bar: BarOutcome): string {
  const sign = bar.figure === 'throughput' ? 'at least' : 'at most';
  return `${bar.isMet ? 'met   ' : 'MISSED'} ${bar.figure} at ${bar.clients} clients: ${bar.ratio.toFixed(2)}, ${sign} ${bar.limit}`;
}
