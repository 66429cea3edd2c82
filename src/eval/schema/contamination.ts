import { z } from 'zod';

const share = z.number().min(0).max(1);

/** `hard`: in the training data, word for word or as a paraphrase; `soft`: close enough to be listed. */
export const ContaminationLevel = z.enum(['none', 'soft', 'hard']);
export type ContaminationLevel = z.infer<typeof ContaminationLevel>;

/** How close one evaluation item's stem comes to the training questions. */
export const ItemContamination = z.strictObject({
  task: z.string(),
  itemId: z.string(),
  level: ContaminationLevel,
  isExactMatch: z.boolean().describe('equal after case, punctuation and white space are unified'),
  gramShare: share.nullable().describe('share of its word 13-grams found in training; null: it has none that are its own'),
  similarity: share.describe('largest IDF-weighted Jaccard of stemmed content words with a training question'),
  nearestTrainingRow: z.int().min(0).nullable().describe('0-based row behind the measure that decided; null: nothing in common'),
});
export type ItemContamination = z.infer<typeof ItemContamination>;
