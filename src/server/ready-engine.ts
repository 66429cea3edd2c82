import { OSLER_ERR_ENGINE_NOT_READY } from '../core/errors.ts';
import type { EngineInfo } from '../engine/engine.ts';
import type { ServedModel } from './served-model.ts';

/** What a model's engine says of itself. Throws OSLER_ERR_ENGINE_NOT_READY rather than wait for a load that takes minutes. */
export async function infoOfReady({ name, engine }: ServedModel): Promise<EngineInfo> {
  if (engine.state.name !== 'ready') throw new OSLER_ERR_ENGINE_NOT_READY(name, engine.state.name);
  return await engine.ready();
}
