import { z } from 'zod';
import { Preflight, PreflightCode, PreflightFinding } from './preflight.ts';

const count = z.int().min(0);

/** What a finding on the data is about. */
export const DataCheckCode = z.enum([
  'dataMissing',
  'columnsMissing',
  'columnsUnfit',
  'rowsInvalid',
  'rowsInvalidUnused',
  'rowsEmpty',
  'textDamaged',
  'sliceBeyondEnd',
  'heldOutShort',
  'heldOutTrained',
  'duplicates',
  'contamination',
  'sourceNote',
  'templateMissing',
  'hostRefused',
  'hostUnchecked',
]);
export type DataCheckCode = z.infer<typeof DataCheckCode>;

/** A finding on the data or of the host that trains, with the setting of the recipe that mends it. */
export const CheckFinding = PreflightFinding.extend({ code: z.union([DataCheckCode, PreflightCode]) });
export type CheckFinding = z.infer<typeof CheckFinding>;

/** What is known of a training before it starts; nothing is written and no run exists. */
export const TrainingCheck = z.strictObject({
  schemaVersion: z.literal(1),
  findings: z.array(CheckFinding).describe('errors first, then warnings, then notes'),
  data: z
    .strictObject({
      ref: z.string(),
      revision: z.string().nullable().describe('commit of the Hub'),
      licence: z.string().nullable(),
      sourceRows: count.describe('rows of the split, used or not'),
      trainRows: count,
      heldOutRows: count,
      duplicates: count.describe('rows asked for whose question stood in an earlier one'),
      heldOutTrained: count.describe('rows not held out because their question is trained on'),
      contamination: z
        .strictObject({ items: count.describe('evaluation items that were looked for'), hard: count, soft: count })
        .nullable()
        .describe('null: it was not looked for'),
    })
    .nullable()
    .describe('null: the rows cannot be read'),
  host: Preflight.nullable().describe('what the trainer says of the machine, lengths, memory and disk; null: it was not asked'),
});
export type TrainingCheck = z.infer<typeof TrainingCheck>;
