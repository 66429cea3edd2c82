import { openStore } from '../../src/core/store.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { ensureGguf, type ResolveModelDeps, resolveModel } from '../../src/train/resolve-model.ts';
import { testConfig } from './test-home.ts';

/** The small real model as q8_0 GGUF, made by the project's own way: wheel, safetensors, converter. Minutes the first time. */
export async function realModelFile(): Promise<string> {
  const deps: ResolveModelDeps = { config: testConfig(), models: new ModelStore(openStore(':memory:')) };
  return await ensureGguf(await resolveModel('smollm2-135m-instruct', null, deps), 'q8_0', deps);
}
