/** Whether serving leaks: resident memory of the server and its engine's process at request 200 and at request 2,000. */
import { benchConfig, findBenchModel } from './bench-model.ts';
import { readPlan } from './bench-plan.ts';
import { writeResult } from './bench-report.ts';
import { describeMachine } from './machine.ts';
import { readWhile, showStretch, type Stretch } from './memory-readings.ts';
import { runLoad } from './run-load.ts';
import { startServers } from './start-servers.ts';
import { stopSignal } from './stop-signal.ts';
import { buildBodies } from './workload.ts';

const maxTokens = 8;
/** Ends of the stretches of requests. The first warms up, the second is what the last is held against. */
const stations = [200, 400, 800, 1200, 1600, 1800, 2000];
const mostGrowth = 0.05;

const plan = readPlan(['--only', 'ours', '--clients', '8', ...process.argv.slice(2)]);
const clients = Math.max(...plan.clients);
const config = benchConfig();
const signal = stopSignal();
const report = (line: string): void => console.error(`▸ ${line}`);

const model = await findBenchModel(plan.model, config, report, signal);
const [server] = await startServers({ plan, config, modelFile: model.file, report, signal });
if (server === undefined) throw new Error('The server was not started.');
try {
  const stretches: Stretch[] = [];
  for (const [index, toRequest] of stations.entries()) {
    const fromRequest = stations[index - 1] ?? 0;
    const bodies = buildBodies({ workload: 'short', round: index, clients, count: toRequest - fromRequest, maxTokens });
    const read = await readWhile(server.pid, runLoad({ port: server.plan.port, clients, bodies }, signal));
    const stretch = { fromRequest, toRequest, ...read };
    stretches.push(stretch);
    report(showStretch(stretch));
  }
  const [first, last] = [stretches[1], stretches.at(-1)];
  if (first === undefined || last === undefined) throw new Error('No memory was read.');
  const growth = last.total.median / first.total.median - 1;
  const isMet = growth < mostGrowth;
  const date = new Date().toISOString();
  const facts = { date, machine: await describeMachine(), model: model.about, clients, maxTokens };
  console.log(`written to ${await writeResult('memory', date, { ...facts, stretches, growth, isMet })}`);
  console.log(`${showStretch(first)}\n${showStretch(last)}`);
  console.log(
    `growth of the median ${(100 * growth).toFixed(2)} %, less than ${(100 * mostGrowth).toFixed(0)} %: ${isMet ? 'met' : 'MISSED'}`,
  );
  if (plan.isGate && !isMet) process.exitCode = 1;
} finally {
  await server.stop();
}
process.exit(process.exitCode);
