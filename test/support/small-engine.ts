import { prebuiltCpu } from '../../src/engine/llama/backend-choice.ts';
import { LlamaEngine, type LlamaEngineOptions } from '../../src/engine/llama/llama-engine.ts';
import { defaultThoughtTags } from '../../src/engine/thought-splitter.ts';
import { realModelFile } from './real-model.ts';

/** How tests load the small real model: two threads, four short slots. */
export async function smallEngineOptions(changes: Partial<LlamaEngineOptions> = {}): Promise<LlamaEngineOptions> {
  return {
    name: 'small',
    file: await realModelFile(),
    backend: prebuiltCpu,
    threads: 2,
    slots: 4,
    contextTokens: 1024,
    batchTokens: 256,
    tags: defaultThoughtTags,
    maxWaiting: 8,
    ...changes,
  };
}

/** One model alone in a process of its own; it is loading. */
export function startEngine(options: LlamaEngineOptions): LlamaEngine {
  const [engine] = LlamaEngine.openArms(options, [{ name: options.name, adapter: null }]);
  if (engine === undefined) throw new Error('one arm opens one engine');
  return engine;
}

/** The small real model, loaded. */
export async function openSmallEngine(changes: Partial<LlamaEngineOptions> = {}): Promise<LlamaEngine> {
  const engine = startEngine(await smallEngineOptions(changes));
  await engine.ready();
  return engine;
}
