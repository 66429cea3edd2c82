import { z } from 'zod';

const count = z.int().min(0);
const PlacedReasons = z.array(z.strictObject({ place: z.string(), reason: z.string() }));

/** Where the items of a task came from, and which rows are no items. */
export const TaskOrigin = z.strictObject({
  source: z.string(),
  revision: z.string().describe('of the rows, as the benchmark states it'),
  licence: z.string(),
  caution: z.string().optional().describe('what a reader of figures on it must know'),
  hub: z
    .strictObject({ repo: z.string(), revision: z.string().describe('as the benchmark names it'), commit: z.string() })
    .nullable()
    .describe('the commit that the rows are of; null: from files of this machine'),
  files: z.array(z.string()).describe('names without their folder; of the Hub: paths in the repository'),
  rows: count.describe('rows of the task, good or bad'),
  dropped: PlacedReasons.describe('rows that were left out, once for each reason'),
  kept: PlacedReasons.describe('items that are in spite of a fault of the published rows, graded by letter'),
  choice: z
    .strictObject({ how: z.enum(['first', 'random', 'subject']), seed: z.int().min(0).nullable(), of: count })
    .nullable()
    .describe('how the items were chosen of so many; null: all are in'),
});
export type TaskOrigin = z.infer<typeof TaskOrigin>;
