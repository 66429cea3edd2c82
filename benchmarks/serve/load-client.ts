/** The load client's own process: reads a job from stdin, plays it against a server on loopback, writes what it saw to stdout. */
import { text } from 'node:stream/consumers';
import { LoadJob, type LoadResult, type RequestRecord } from './load-job.ts';
import { streamChat } from './stream-chat.ts';

const job = LoadJob.parse(JSON.parse(await text(process.stdin)));
const records: RequestRecord[] = [];
const bodies = job.bodies.values();
const cpuBefore = process.cpuUsage();
const originMs = performance.now();

// One iterator shared by all clients: each takes the next body as soon as it is free.
async function client(): Promise<void> {
  for (const body of bodies) records.push(await streamChat({ port: job.port, originMs }, body));
}

await Promise.all(Array.from({ length: job.clients }, () => client()));
const wallSeconds = (performance.now() - originMs) / 1000;
const cpu = process.cpuUsage();
const result: LoadResult = {
  wallSeconds,
  clientCpuSeconds: secondsOf(cpu) - secondsOf(cpuBefore),
  clientTotalCpuSeconds: secondsOf(cpu),
  records,
};
process.stdout.write(JSON.stringify(result));

function secondsOf(usage: NodeJS.CpuUsage): number {
  return (usage.user + usage.system) / 1e6;
}
