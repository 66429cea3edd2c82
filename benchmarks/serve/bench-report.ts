import path from 'node:path';
import { writeJsonAtomically } from '../../src/core/atomic-file.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { type BarOutcome, holdAgainstBars } from './bars.ts';
import type { BenchModel } from './bench-model.ts';
import type { BenchPlan } from './bench-plan.ts';
import { type Cell, type FigureName, figureNames, figureOf, otherCoresOf, ratioOf } from './comparison.ts';
import type { Machine } from './machine.ts';
import type { NativeLibraries } from './native-libraries.ts';
import { samplingFields } from './workload.ts';
import { type ServerName, serverNames } from './server-process.ts';
import type { Spread } from './statistics.ts';

/** What is known of a server beside its figures. */
export interface ServerFacts {
  readonly name: ServerName;
  readonly command: string;
  readonly libraries: NativeLibraries;
  readonly idleCores: number;
}

/** All that a run found; kept as JSON and committed, so nothing in it names a machine or a folder. */
export interface BenchReport {
  readonly date: string;
  readonly machine: Machine;
  readonly model: BenchModel['about'];
  readonly plan: BenchPlan;
  readonly servers: readonly ServerFacts[];
  readonly cells: readonly Cell[];
}

/** Writes a comparison (`serve-YYYY-MM-DD.json`, `serve-quick-…` of a quick run) with the medians and ratios of each load. Gives its path. */
export async function writeReport(report: BenchReport): Promise<string> {
  const { llamaServer, model: _model, ...plan } = report.plan;
  return await writeResult(report.plan.isQuick ? 'serve-quick' : 'serve', report.date, {
    ...report,
    plan: { ...plan, isLlamaServerBuiltHere: llamaServer === null, sampling: samplingFields },
    cells: report.cells.map((cell) => ({
      ...cell,
      medians: Object.fromEntries(report.servers.map(({ name }) => [name, mediansOf(cell, name)])),
      ratios: Object.fromEntries(figureNames.map((figure) => [figure, ratioOf(cell, figure)])),
    })),
    bars: holdAgainstBars(report.cells),
  });
}

/** Writes a dated result among the committed ones and gives its path from the package's root. */
export async function writeResult(name: string, date: string, value: Readonly<Record<string, unknown>>): Promise<string> {
  const file = path.join('benchmarks/results', `${name}-${date.slice(0, 10)}.json`);
  await writeJsonAtomically(path.join(packageRoot, file), roundNumbers(value));
  return file;
}

function mediansOf(cell: Cell, server: ServerName): Record<string, number | undefined> {
  return Object.fromEntries(figureNames.map((figure) => [figure, figureOf(cell, figure, server)?.median]));
}

/** The last line of a run: ratios of the first workload by number of clients, ours over llama-server's, and what both did. */
export function summaryLine(cells: readonly Cell[], bars: readonly BarOutcome[]): string {
  const first = cells.filter((cell) => cell.workload === cells[0]?.workload);
  const byClients = (read: (cell: Cell) => number | undefined): Record<string, number | undefined> =>
    Object.fromEntries(first.map((cell) => [cell.clients, read(cell)]));
  const ratios = (part: keyof Spread) => ({
    throughput: byClients((cell) => ratioOf(cell, 'throughput')?.[part]),
    ttftP95: byClients((cell) => ratioOf(cell, 'ttftP95')?.[part]),
  });
  const medians = (figure: FigureName) =>
    Object.fromEntries(serverNames.map((server) => [server, byClients((cell) => figureOf(cell, figure, server)?.median)]));
  return JSON.stringify(
    roundNumbers({
      ratio: ratios('median'),
      ratioMin: ratios('min'),
      ratioMax: ratios('max'),
      tokensPerSecond: medians('throughput'),
      ttftP95Ms: medians('ttftP95'),
      workload: first[0]?.workload,
      rounds: first[0]?.rounds.length ?? 0,
      otherCores: otherCoresOf(cells),
      ...(bars.length > 0 && { areBarsMet: bars.every((bar) => bar.isMet) }),
    }),
  );
}

/** Four significant digits: more would claim a precision that no round has. */
function roundNumbers(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'number' && !Number.isInteger(inner) ? Number(inner.toPrecision(4)) : inner,
    ),
  );
}
