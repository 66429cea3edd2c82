import { z } from 'zod';

const positive = z.number().positive();

/** Everything that decides an evaluation, frozen before the first token. Fields beyond these are kept as they are. */
export const EvaluationSettings = z.looseObject({
  primaryMetric: z.enum(['accuracy', 'answer-likelihood']).describe('decides the verdict; named before the run'),
  equivalenceMarginPp: positive.nullable().describe('half-width of "equivalent" for accuracy, percentage points; null: not asked'),
  equivalenceMarginNats: positive.nullable().describe('the same for answer likelihood, nats per token'),
  attempts: z.int().min(1).describe('K: samples of each item and arm'),
  seed: z.int().min(0).describe('root of every seed: of the samples and of the bootstrap'),
  bootstrapDraws: z.int().min(100).max(100_000).default(10_000),
  temperature: z.number().min(0),
  topP: z.number().min(0).max(1),
  thinkingBudgetTokens: z.int().min(0).nullable().describe('null: no budget'),
  answerBudgetTokens: z.int().min(1),
  systemPrompt: z.string().nullable(),
  template: z.string().min(1).describe('chat template of both arms'),
});
export type EvaluationSettings = z.infer<typeof EvaluationSettings>;
