/** `npm run bench:serve`: our server beside llama-server, in alternating rounds over loopback. Ends with one line of JSON. */
import { describeBar, holdAgainstBars } from './bars.ts';
import { benchConfig, findBenchModel } from './bench-model.ts';
import { type BenchPlan, readPlan } from './bench-plan.ts';
import { type ServerFacts, summaryLine, writeReport } from './bench-report.ts';
import { otherCoresOf } from './comparison.ts';
import { renderCell } from './comparison-table.ts';
import { watchIdle } from './idle-check.ts';
import { describeMachine } from './machine.ts';
import { describeLibraries } from './native-libraries.ts';
import { mappedFiles } from './process-tree.ts';
import { runLoad } from './run-load.ts';
import { runRounds } from './run-rounds.ts';
import type { RunningServer } from './server-process.ts';
import { startServers } from './start-servers.ts';
import { stopSignal } from './stop-signal.ts';
import { buildBodies } from './workload.ts';

const warmUpTokens = 16;
/** Of a whole machine's own housekeeping. */
const quietCores = 0.1;

const plan = readPlan(process.argv.slice(2));
const config = benchConfig();
const signal = stopSignal();
const report = (line: string): void => console.error(`▸ ${line}`);

const machine = await describeMachine();
const model = await findBenchModel(plan.model, config, report, signal);
console.log(
  `${machine.cpu}, ${machine.cores} cores; Node ${machine.node}, node-llama-cpp ${machine.nodeLlamaCpp}, llama.cpp ${machine.llamaCpp}`,
);
console.log(`model ${model.about.ref}, ${model.about.quantisation}; ${plan.slots} slots of ${plan.contextTokens} tokens`);
const servers = await startServers({ plan, config, modelFile: model.file, report, signal });
try {
  for (const server of servers) await warmUp(server, plan);
  const facts: ServerFacts[] = [];
  for (const server of servers) facts.push(await describeServer(server));
  const cells = await runRounds({ plan, servers, report, signal });
  console.log(`\n${cells.map((cell) => renderCell(cell)).join('\n\n')}\n`);
  const others = otherCoresOf(cells);
  if (others > quietCores) console.log(`NOT QUIET: other programs used ${others.toFixed(2)} of ${machine.cores} cores; measure again`);
  const bars = plan.only === null ? holdAgainstBars(cells) : [];
  for (const bar of bars) console.log(describeBar(bar));
  console.log('medians over rounds with least and greatest; a latency ratio below 1 is better, a throughput ratio above 1');
  if (plan.only === null) {
    const file = await writeReport({ date: new Date().toISOString(), machine, model: model.about, plan, servers: facts, cells });
    console.log(`written to ${file}`);
  }
  console.log(summaryLine(cells, bars));
  if (plan.isGate && bars.some((bar) => !bar.isMet)) process.exitCode = 1;
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}
// The store's idle handle must not hold a finished program.
process.exit(process.exitCode);

/** The first requests after a start pay for pages and compiled code. */
async function warmUp(server: RunningServer, { clients }: BenchPlan): Promise<void> {
  const most = Math.max(...clients);
  const bodies = buildBodies({ workload: 'short', round: -1, clients: most, count: 2 * most, maxTokens: warmUpTokens });
  await runLoad({ port: server.plan.port, clients: most, bodies }, signal);
}

async function describeServer(server: RunningServer): Promise<ServerFacts> {
  const { name, shownCommand } = server.plan;
  const libraries = describeLibraries(await mappedFiles(server.pid));
  const idle = await watchIdle(server);
  const threads = libraries.hasOpenMp ? 'OpenMP' : 'no OpenMP';
  console.log(`${name}: ${shownCommand}`);
  console.log(`  engine ${libraries.build}, ${threads} (${libraries.devices.join(', ')}); idle ${idle.cores.toFixed(3)} cores`);
  if (idle.isBusy) report(`${name} is busy while idle: figures of the other server are too low; measure each alone with --only`);
  return { name, command: shownCommand, libraries, idleCores: idle.cores };
}
