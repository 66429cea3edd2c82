import { z } from 'zod';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const count = z.int().min(0);

/** The two models under comparison. */
export const Arm = z.enum(['base', 'tuned']);
export type Arm = z.infer<typeof Arm>;

const recordOfItem = {
  schemaVersion: z.literal(1),
  evaluationId: z.string().min(1),
  arm: Arm,
  task: z.string().min(1),
  itemId: z.string().min(1),
  itemDigest: sha256Hex.describe('digestOfItem of the item it was drawn for'),
  seconds: z.number().min(0),
  at: z.iso.datetime().describe('UTC, when it was finished'),
};

/**
 * One attempt at one item: a line of samples.jsonl, appended as soon as it is done.
 * Holds what the model said and nothing that a rule makes of it: letter, outcome and score are derived anew each time.
 */
export const Sample = z.strictObject({
  kind: z.literal('generation'),
  ...recordOfItem,
  attempt: count.describe('0-based'),
  seed: count,
  promptDigest: sha256Hex.describe('sha256 of the rendered prompt'),
  thought: z.string(),
  answer: z.string().describe('text after the close of the thought, verbatim'),
  thoughtTokens: count,
  answerTokens: count,
  thoughtClosed: z.enum(['model', 'budget', 'client', 'never', 'none']).describe('who closed the thought; none: no thought was opened'),
  finishReason: z.string().min(1).describe('stop, length, …: as the engine named it'),
});
export type Sample = z.infer<typeof Sample>;

/** Likelihood of one item's reference text under one arm. Sums of negative log-likelihood in nats; 0 tokens where there is no such text. */
export const LikelihoodSample = z.strictObject({
  kind: z.literal('likelihood'),
  ...recordOfItem,
  thoughtNll: z.number().min(0),
  thoughtTokens: count,
  answerNll: z.number().min(0),
  answerTokens: count,
});
export type LikelihoodSample = z.infer<typeof LikelihoodSample>;

/** Any line of samples.jsonl. */
export const EvaluationRecord = z.discriminatedUnion('kind', [Sample, LikelihoodSample]);
export type EvaluationRecord = z.infer<typeof EvaluationRecord>;
