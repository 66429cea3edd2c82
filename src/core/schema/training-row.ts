import { z } from 'zod';

const nonBlank = z.string().refine((text) => text.trim() !== '', 'must not be blank');

/** One row of prepared training data: the columns of medical-o1-reasoning-SFT under our names. */
export const TrainingRow = z.strictObject({
  id: z.string().min(1).describe('content hash, sha256 over question, thought and answer'),
  question: nonBlank,
  thought: nonBlank,
  answer: nonBlank,
});
export type TrainingRow = z.infer<typeof TrainingRow>;
