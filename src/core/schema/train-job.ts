import { z } from 'zod';
import { Recipe } from './recipe.ts';

/** What the launcher hands the Python trainer: one file, all paths resolved, nothing left to guess. */
export const TrainJob = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string().min(1),
  recipe: Recipe,
  basePath: z
    .string()
    .min(1)
    .describe('local folder with config.json, tokenizer and safetensors; a Hub id only where the CUDA host fetches it'),
  trainFile: z.string().min(1).describe('JSON Lines of TrainingRow'),
  heldOutFile: z.string().min(1).nullable().describe('JSON Lines of TrainingRow, never trained on'),
  templateFile: z.string().min(1).describe('Jinja chat template; copied into every output'),
  outputDir: z.string().min(1).describe('outputs/ (checkpoints), adapter/ and merged/ are made here'),
  threads: z.int().min(1).describe('CPU threads'),
  resume: z.boolean().describe('go on from the last checkpoint in outputs/, if there is one'),
  dryRun: z.boolean().describe('no torch: emit the events of a run with a recorded loss curve; for tests of what follows the trainer'),
});
export type TrainJob = z.infer<typeof TrainJob>;
