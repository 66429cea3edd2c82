/** The bare driver in a process of its own, no HTTP and no second process behind it: what serving over HTTP is held against. */
import { messageOf } from '../../src/core/errors.ts';
import type { EngineEvent, GenerateRequest } from '../../src/engine/engine.ts';
import { loadBackend } from '../../src/engine/llama/load-backend.ts';
import { LoadedModel } from '../../src/engine/llama/loaded-model.ts';
import type { FromDriver, ToDriver } from './driver-protocol.ts';
import type { LoadResult, RequestRecord } from './load-job.ts';

interface Listener {
  onEvent(event: EngineEvent): void;
  onFault(message: string): void;
}

const listeners = new Map<number, Listener>();
let model: LoadedModel | undefined;
let nextId = 1;

async function answer(message: ToDriver): Promise<FromDriver> {
  if (message.type === 'play') return { type: 'played', result: await play(message.requests, message.clients) };
  const llama = await loadBackend(message.options.backend, { threads: message.options.threads });
  model = await LoadedModel.load(llama, message.options, {
    onStep: (_arm, events) => {
      for (const { id, event } of events) listeners.get(id)?.onEvent(event);
    },
    onFault: (id, fault) => listeners.get(id)?.onFault(fault.message),
  });
  return { type: 'ready' };
}

/** The same closed loop as the load client's, around function calls in place of requests. */
async function play(requests: readonly GenerateRequest[], clients: number): Promise<LoadResult> {
  const records: RequestRecord[] = [];
  const rest = requests.values();
  const cpuBefore = process.cpuUsage();
  const originMs = performance.now();
  const client = async (): Promise<void> => {
    for (const request of rest) records.push(await generate(request, originMs));
  };
  await Promise.all(Array.from({ length: clients }, () => client()));
  const wallSeconds = (performance.now() - originMs) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const seconds = (cpu.user + cpu.system) / 1e6;
  return { wallSeconds, clientCpuSeconds: seconds, clientTotalCpuSeconds: seconds, records };
}

function generate(request: GenerateRequest, originMs: number): Promise<RequestRecord> {
  const { promise, resolve, reject } = Promise.withResolvers<RequestRecord>();
  const id = nextId;
  nextId += 1;
  const now = (): number => performance.now() - originMs;
  const startMs = now();
  const gapsMs: number[] = [];
  let firstTextMs: number | null = null;
  let lastTextMs = 0;
  listeners.set(id, {
    onEvent: (event) => {
      if (event.type === 'delta') {
        const arrivedMs = now();
        if (firstTextMs === null) firstTextMs = arrivedMs;
        else gapsMs.push(arrivedMs - lastTextMs);
        lastTextMs = arrivedMs;
      } else if (event.type === 'finish') {
        listeners.delete(id);
        const { promptTokens, cachedTokens, completionTokens } = event.usage;
        const times = { startMs, firstTextMs, endMs: now(), gapsMs };
        resolve({ ...times, finishReason: event.reason, promptTokens, cachedTokens, completionTokens });
      }
    },
    onFault: (message) => reject(new Error(message)),
  });
  model?.generate(id, 0, request);
  return promise;
}

process.on('message', (message: ToDriver) => {
  void answer(message)
    .catch((error: unknown): FromDriver => ({ type: 'failed', message: messageOf(error) }))
    .then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));
