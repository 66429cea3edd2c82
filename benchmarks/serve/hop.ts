/** What HTTP and the hop to the engine's process cost: our server beside its own driver, bare, in alternating rounds. */
import { ChatTemplate } from '../../src/engine/chat-template.ts';
import { readGguf } from '../../src/engine/gguf-file.ts';
import { backendDeps, chooseBackend } from '../../src/engine/llama/backends.ts';
import { defaultThoughtTags } from '../../src/engine/thought-splitter.ts';
import { startBareDriver } from './bare-driver.ts';
import { benchConfig, findBenchModel } from './bench-model.ts';
import { readPlan } from './bench-plan.ts';
import { writeResult } from './bench-report.ts';
import { runHopRounds } from './hop-rounds.ts';
import { describeMachine } from './machine.ts';
import { describeLibraries } from './native-libraries.ts';
import { mappedFiles } from './process-tree.ts';
import { batchTokens } from './server-plans.ts';
import { startServers } from './start-servers.ts';
import { spreadOf } from './statistics.ts';
import { stopSignal } from './stop-signal.ts';

const mostCost = 0.07;

const plan = readPlan(['--only', 'ours', '--clients', '8', '--workloads', 'short', '--rounds', '5', ...process.argv.slice(2)]);
const clients = Math.max(...plan.clients);
const config = benchConfig();
const signal = stopSignal();
const report = (line: string): void => console.error(`▸ ${line}`);

const model = await findBenchModel(plan.model, config, report, signal);
const { chatTemplate, bosToken, eosToken } = await readGguf(model.file);
if (chatTemplate === null) throw new Error('The model carries no chat template, so there is no prompt to compare on.');
const template = new ChatTemplate({ owner: 'bench', source: chatTemplate, bosToken, eosToken });
const { choice } = await chooseBackend(await backendDeps(config, { onStep: report, signal }));

const [server] = await startServers({ plan, config, modelFile: model.file, report, signal });
if (server === undefined) throw new Error('The server was not started.');
const driver = await startBareDriver({
  file: model.file,
  backend: choice,
  threads: config.threads,
  slots: plan.slots,
  contextTokens: plan.contextTokens,
  batchTokens,
  tags: defaultThoughtTags,
  arms: [null],
});
try {
  const [served, bare] = [describeLibraries(await mappedFiles(server.pid)), describeLibraries(await mappedFiles(driver.pid))];
  if (JSON.stringify(served) !== JSON.stringify(bare))
    throw new Error(
      `The server runs ${JSON.stringify(served)} and the bare driver ${JSON.stringify(bare)}: the difference would be theirs.`,
    );
  console.log(`${model.about.ref}, ${model.about.quantisation}; engine ${served.build}, ${served.hasOpenMp ? 'OpenMP' : 'no OpenMP'}`);
  const rounds = await runHopRounds({ plan, clients, server, driver, template, report, signal });
  const cost = spreadOf(rounds.map((round) => round.cost));
  const isMet = cost.median <= mostCost;
  const date = new Date().toISOString();
  const facts = { date, machine: await describeMachine(), model: model.about, clients, slots: plan.slots, libraries: served };
  console.log(`written to ${await writeResult('hop', date, { ...facts, rounds, cost, isMet })}`);
  const [median, min, max] = [cost.median, cost.min, cost.max].map((share) => (100 * share).toFixed(1));
  console.log(`HTTP and the hop between processes cost ${median} % [${min}, ${max}] of the throughput at ${clients} clients`);
  console.log(`at most ${(100 * mostCost).toFixed(0)} %: ${isMet ? 'met' : 'MISSED'}`);
  if (plan.isGate && !isMet) process.exitCode = 1;
} finally {
  await Promise.all([server.stop(), driver.stop()]);
}
process.exit(process.exitCode);
