/** The engine's own process: the only place that loads the native addon, so that its abort takes nothing else down. */
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { messageOf } from '../../core/errors.ts';
import { LockstepDriver } from './driver.ts';
import type { FromChild, LoadOptions, ToChild } from './protocol.ts';

let driver: LockstepDriver | undefined;

function send(message: FromChild): void {
  process.send?.(message);
}

async function load(options: LoadOptions): Promise<void> {
  const llama = await getLlama({
    gpu: options.gpu === 'off' ? false : options.gpu,
    build: 'never',
    logLevel: LlamaLogLevel.error,
    maxThreads: options.threads,
  });
  const model = await llama.loadModel({ modelPath: options.file });
  const context = await model.createContext({
    sequences: options.slots,
    contextSize: Math.min(options.contextTokens, model.trainContextSize),
    batchSize: options.batchTokens,
    threads: { ideal: options.threads, min: options.threads },
    batching: { itemPrioritizationStrategy: 'firstInFirstOut' },
  });
  driver = new LockstepDriver(
    context,
    { onStep: (events) => send({ type: 'step', events }), onFault: (id, fault) => send({ type: 'fault', id, fault }) },
    { slots: options.slots, tags: options.tags },
  );
  const device = llama.gpu === false ? `CPU, ${options.threads} threads` : llama.gpu;
  send({ type: 'ready', info: { contextTokens: driver.contextTokens, slots: options.slots, device } });
}

process.on('message', (message: ToChild) => {
  switch (message.type) {
    case 'load':
      load(message.options).catch((error: unknown) => send({ type: 'load-failed', message: messageOf(error) }));
      break;
    case 'generate':
      driver?.add(message.id, message.request);
      break;
    case 'cancel':
      driver?.cancel(message.id);
      break;
    case 'answer-now':
      driver?.answerNow(message.id);
      break;
    case 'tokenize':
      send({ type: 'tokens', id: message.id, tokens: driver?.tokenize(message.text) ?? [] });
      break;
    case 'score':
      driver?.score(message.prompt, message.segments).then(
        (scores) => send({ type: 'scores', id: message.id, scores }),
        (error: unknown) => send({ type: 'fault', id: message.id, fault: { code: 'internal', message: messageOf(error) } }),
      );
      break;
    case 'shutdown':
      process.exit(0);
  }
});

// Ctrl-C in a terminal reaches the whole process group; the server decides when this process ends.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
