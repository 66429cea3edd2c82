import { z } from 'zod';
import { Recipe } from './recipe.ts';

/**
 * Where a training is. `queued` waits for its GPU; `stopped` was asked to stop and can be resumed; `cancelled` is final.
 */
export const RunState = z.enum([
  'queued',
  'preparing',
  'training',
  'merging',
  'converting',
  'certifying',
  'done',
  'failed',
  'stopped',
  'cancelled',
]);
export type RunState = z.infer<typeof RunState>;

/** A trainer that may outlive the server that began it, as the launcher that started it finds it again. */
export const TrainerHandle = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local'), pid: z.int(), startedAt: z.iso.datetime() }),
  z.strictObject({
    kind: z.literal('ssh'),
    pid: z.int().describe('on that host'),
    folder: z.string().describe('of the run, on that host'),
    startedAt: z.iso.datetime(),
  }),
  z.strictObject({ kind: z.literal('ray'), submissionId: z.string(), folder: z.string(), startedAt: z.iso.datetime() }),
]);
export type TrainerHandle = z.infer<typeof TrainerHandle>;

/** One training, as the store keeps it. */
export const Run = z.strictObject({
  id: z.string(),
  state: RunState,
  recipe: Recipe,
  launcher: z.string().describe('name of the launcher: local, or one of launchers.json'),
  isDryRun: z.boolean().describe('emits the events of a run without training; makes no model'),
  runsBefore: z.int().min(0).nullable().describe('queued runs of its launcher that come before it; null: it is not queued'),
  error: z.string().nullable(),
  trainer: TrainerHandle.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Run = z.infer<typeof Run>;

/** Whether nothing more will happen to a run by itself. */
export function isEnded(state: RunState): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped' || state === 'cancelled';
}
