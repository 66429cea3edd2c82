import type { Measurement } from './measurement.ts';
import type { ServerName } from './server-process.ts';
import { meanOf, type Spread, spreadOf } from './statistics.ts';
import type { WorkloadName } from './workload.ts';

/** Both servers under the same load, one right after the other. */
export interface Round {
  readonly round: number;
  /** In the order in which they were measured. */
  readonly order: readonly ServerName[];
  readonly measurements: Readonly<Partial<Record<ServerName, Measurement>>>;
}

/** One load in all its rounds. */
export interface Cell {
  readonly workload: WorkloadName;
  readonly clients: number;
  readonly rounds: readonly Round[];
}

/** What is read off a measurement, by a name for people. */
export const figures = {
  throughput: { title: 'throughput, tokens/s', read: (one: Measurement) => one.tokensPerSecond },
  ttftP50: { title: 'time to first token p50, ms', read: (one: Measurement) => one.ttftMs.p50 },
  ttftP95: { title: 'time to first token p95, ms', read: (one: Measurement) => one.ttftMs.p95 },
  ttftP99: { title: 'time to first token p99, ms', read: (one: Measurement) => one.ttftMs.p99 },
  interTokenP50: { title: 'inter-token latency p50, ms', read: (one: Measurement) => one.interTokenMs.p50 },
  interTokenP95: { title: 'inter-token latency p95, ms', read: (one: Measurement) => one.interTokenMs.p95 },
  interTokenP99: { title: 'inter-token latency p99, ms', read: (one: Measurement) => one.interTokenMs.p99 },
} as const;
export type FigureName = keyof typeof figures;

/** All of them, in the order of the table. */
export const figureNames = Object.keys(figures) as FigureName[]; // the keys of a literal object

/** Ours first and theirs first in turns, over rounds and from load to load, so that neither always runs on the warmer machine. */
export function orderOf(round: number, cell: number, only: ServerName | null): ServerName[] {
  if (only !== null) return [only];
  return (round + cell) % 2 === 0 ? ['ours', 'llama-server'] : ['llama-server', 'ours'];
}

/** Cores that others used while a load was measured, on average; a comparison on a busy machine says little. */
export function otherCoresOf(cells: readonly Cell[]): number {
  const all = cells.flatMap((cell) => cell.rounds.flatMap((round) => Object.values(round.measurements).map((one) => one.otherCores ?? 0)));
  return all.length === 0 ? 0 : meanOf(all);
}

/** A figure of one server over the rounds; undefined where it was not measured. */
export function figureOf(cell: Cell, figure: FigureName, server: ServerName): Spread | undefined {
  const values = cell.rounds.flatMap(({ measurements: { [server]: one } }) => (one === undefined ? [] : [figures[figure].read(one)]));
  return values.length === 0 ? undefined : spreadOf(values);
}

/** Ours over llama-server's, taken within each round and then over the rounds; undefined where only one was measured. */
export function ratioOf(cell: Cell, figure: FigureName): Spread | undefined {
  const { read } = figures[figure];
  const ratios = cell.rounds.flatMap(({ measurements: { ours, 'llama-server': theirs } }) =>
    ours === undefined || theirs === undefined ? [] : [read(ours) / read(theirs)],
  );
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}
