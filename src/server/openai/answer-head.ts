import type { Clock } from '../../core/clock.ts';
import { createRequestId } from '../../core/ids.ts';
import type { ServedModel } from '../served-model.ts';

/** What begins every object of one answer, whole or in chunks. */
export function answerHead(deps: { readonly clock: Clock }, model: ServedModel, prefix: string) {
  return { id: createRequestId(prefix), createdSeconds: Math.floor(deps.clock.now().getTime() / 1000), model };
}
