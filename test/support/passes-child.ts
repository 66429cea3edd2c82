/**
 * Steps requests of its own with LLAMA_BATCH_DEBUG=1: llama.cpp then logs each pass over the weights ("ubatch").
 * Prints one JSON line: the sequences of each step, and those of each pass of one token a sequence, each list in its order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { LockstepDriver } from '../../src/engine/llama/driver.ts';
import { defaultThoughtTags } from '../../src/engine/thought-splitter.ts';
import { requestOf } from '../contract/engine-contract.ts';

const [file = '', slots = '6'] = process.argv.slice(2);
let log = '';
const sizes: number[] = [];
const llama = await getLlama({
  gpu: false,
  build: 'never',
  logLevel: LlamaLogLevel.debug,
  maxThreads: 2,
  logger: (_level, message) => {
    log += message;
  },
});
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  sequences: Number(slots),
  contextSize: 512,
  batchSize: 256,
  threads: { ideal: 2, min: 2 },
  batching: { itemPrioritizationStrategy: 'firstInFirstOut' },
});
let open = Number(slots) + 2;
const done = Promise.withResolvers<void>();
const driver = new LockstepDriver(
  context,
  {
    onStep: (events, size) => {
      sizes.push(size);
      open -= events.filter(({ event }) => event.type === 'finish').length;
      if (open === 0) done.resolve();
    },
    onFault: (id, fault) => done.reject(new Error(`request ${id}: ${fault.message}`)),
  },
  { slots: Number(slots), tags: defaultThoughtTags },
);
// Prompts of one length, so that the first step alone reads them; answers of several, so that slots empty and are filled again.
for (let id = 0; id < open; id += 1) {
  const prompt = `<|im_start|>user\nQuestion ${id}<|im_end|>\n<|im_start|>assistant\n<think>\n`;
  void driver.add(id, requestOf(prompt, { seed: id, maxTokens: 4 + 3 * ((id * 3) % 7) }));
}
await done.promise;
// Log lines come through the event loop.
await sleep(200);
const passes = log.matchAll(/added ubatch to split:[^]*?n_seq_tokens = (\d+)[^]*?n_seqs\s+= (\d+)/g).toArray();
console.log(JSON.stringify({ steps: sizes, passes: passes.filter(([, tokens]) => tokens === '1').map(([, , count]) => Number(count)) }));
process.exit(0);
