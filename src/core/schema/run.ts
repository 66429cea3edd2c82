import { z } from 'zod';
import { Recipe } from './recipe.ts';

/** Where a training is; `stopped` was asked to stop and can be resumed, `cancelled` is final. */
export const RunState = z.enum(['preparing', 'training', 'converting', 'done', 'failed', 'stopped', 'cancelled']);
export type RunState = z.infer<typeof RunState>;

/** A trainer process that may outlive the server that began it. */
export const TrainerProcess = z.strictObject({ pid: z.int(), startedAt: z.iso.datetime() });
export type TrainerProcess = z.infer<typeof TrainerProcess>;

/** One training, as the store keeps it. */
export const Run = z.strictObject({
  id: z.string(),
  state: RunState,
  recipe: Recipe,
  error: z.string().nullable(),
  trainer: TrainerProcess.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Run = z.infer<typeof Run>;

/** Whether nothing more will happen to a run by itself. */
export function isEnded(state: RunState): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped' || state === 'cancelled';
}
