/** Whether serving leaks: resident memory of the server and its engine's process at request 200 and at request 2,000. */
import { benchConfig, findBenchModel } from './bench-model.ts';
import { readPlan } from './bench-plan.ts';
import { writeResult } from './bench-report.ts';
import { describeMachine } from './machine.ts';
import { residentBytes } from './process-tree.ts';
import { runLoad } from './run-load.ts';
import { startServers } from './start-servers.ts';
import { stopSignal } from './stop-signal.ts';
import { buildBodies } from './workload.ts';

const maxTokens = 8;
/** Requests after which memory is read; the first counts as warm, the last is held against it. */
const stations = [200, 500, 800, 1100, 1400, 1700, 2000];
const mostGrowth = 0.05;
const mebibyte = 2 ** 20;

interface Reading {
  readonly requests: number;
  readonly totalMb: number;
  /** The server first, then what it started. */
  readonly processesMb: readonly number[];
}

const plan = readPlan(['--only', 'ours', '--clients', '8', ...process.argv.slice(2)]);
const clients = Math.max(...plan.clients);
const config = benchConfig();
const signal = stopSignal();
const report = (line: string): void => console.error(`▸ ${line}`);

const model = await findBenchModel(plan.model, config, report, signal);
const [server] = await startServers({ plan, config, modelFile: model.file, report, signal });
if (server === undefined) throw new Error('The server was not started.');
try {
  const readings: Reading[] = [];
  for (const [index, station] of stations.entries()) {
    const count = station - (stations[index - 1] ?? 0);
    const bodies = buildBodies({ workload: 'short', round: index, clients, count, maxTokens });
    await runLoad({ port: server.plan.port, clients, bodies }, signal);
    const processesMb = (await residentBytes(server.pid)).map((bytes) => bytes / mebibyte);
    if (processesMb.length === 0) throw new Error('This system does not tell the memory of a process: the benchmark needs /proc.');
    readings.push({ requests: station, totalMb: processesMb.reduce((sum, size) => sum + size, 0), processesMb });
    report(`${station} requests: ${showReading(readings.at(-1))}`);
  }
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) throw new Error('No memory was read.');
  const growth = last.totalMb / first.totalMb - 1;
  const isMet = growth < mostGrowth;
  const date = new Date().toISOString();
  const facts = { date, machine: await describeMachine(), model: model.about, clients, maxTokens };
  console.log(`written to ${await writeResult('memory', date, { ...facts, readings, growth, isMet })}`);
  console.log(`request ${first.requests}: ${showReading(first)}; request ${last.requests}: ${showReading(last)}`);
  console.log(`growth ${(100 * growth).toFixed(2)} %, less than ${(100 * mostGrowth).toFixed(0)} %: ${isMet ? 'met' : 'MISSED'}`);
  if (plan.isGate && !isMet) process.exitCode = 1;
} finally {
  await server.stop();
}
process.exit(process.exitCode);

/** Sizes as `total (server + engine)`. */
function showReading(reading: Reading | undefined): string {
  if (reading === undefined) return '-';
  return `${reading.totalMb.toFixed(1)} MiB (${reading.processesMb.map((size) => size.toFixed(1)).join(' + ')})`;
}
