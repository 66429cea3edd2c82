import { z } from 'zod';
import { isRevision, parseHubId } from '../../core/hub/hub-id.ts';
import { isSafeRepositoryPath } from '../../core/hub/repository-path.ts';

const name = z.string().regex(/^[\w.-]+$/, 'a name of letters, digits, "_", "-" and "."');
const text = z.string().min(1);
const repositoryPath = text.refine(isSafeRepositoryPath, 'a path inside the repository');

/** A column by name, or by a path into structs such as `context.contexts`; a list of texts is joined by line ends. */
const Column = z.union([
  text,
  z.strictObject({
    column: text,
    without: text.optional().describe('left out where the text begins with it'),
    upTo: text.optional().describe('the text ends before this'),
  }),
]);
export type Column = z.infer<typeof Column>;

/** Which column of the rows becomes which field of a question. */
export const ColumnMapping = z
  .strictObject({
    id: Column.optional().describe('default: a hash of the content, which is the same wherever the row comes from'),
    question: Column,
    options: z
      .union([
        text.describe('a column that holds a list of texts, or texts by letter'),
        z.array(text).min(2).max(26).describe('a column for each option, in order'),
        z.strictObject({ fixed: z.array(text).min(2).max(26) }).describe('the same options for all rows'),
      ])
      .optional(),
    answer: z.strictObject({ column: text, as: z.enum(['letter', 'index', 'text']).describe('an index counts from 0') }).optional(),
    answerText: Column.optional().describe('reference answer of an open question'),
    reasoning: Column.optional(),
    context: Column.optional(),
    subject: Column.optional(),
    specialty: Column.optional(),
    cluster: Column.optional().describe('rows that share a vignette have the same text here'),
    sourceId: Column.optional().describe('name of the row where it comes from'),
  })
  .refine(({ options, answer }) => (options === undefined) === (answer === undefined), 'options and answer go together')
  .refine(({ options, answerText }) => options !== undefined || answerText !== undefined, 'an open question needs answerText');
export type ColumnMapping = z.infer<typeof ColumnMapping>;

/** Rows to take: those whose columns hold these texts. */
const Where = z.record(text, text);

/** What may be wrong with published rows that are kept all the same, so that figures stay comparable; they are counted. */
export const AcceptedFault = z.enum(['equalOptions', 'emptyOption', 'repeatedItem']);
export type AcceptedFault = z.infer<typeof AcceptedFault>;

const HubRows = z.strictObject({
  repo: z.string().refine((repo) => parseHubId(repo)?.repo === repo, 'a data set of the form owner/name'),
  revision: z.string().refine(isRevision, 'a commit, or a branch or tag that is resolved when an evaluation is planned'),
  files: z.array(repositoryPath).min(1).describe('paths or patterns, in the order of the rows'),
  where: Where.optional(),
  columns: ColumnMapping,
});

/** The same rows in other files: those in a folder of benchmark data, or given with `--items TASK=FILE`. */
const LocalRows = z.strictObject({
  files: z.array(text).default([]).describe('names to look for; TASK.jsonl and TASK.parquet always are'),
  where: Where.optional(),
  columns: ColumnMapping,
});

const Part = z
  .strictObject({
    task: name,
    measures: z
      .array(z.enum(['generation', 'likelihood']))
      .min(1)
      .default(['generation']),
    prompt: z
      .string()
      .optional()
      .describe('paragraphs with {context}, {question} and {options}; one whose placeholder has no text is left out'),
    accepts: z.array(AcceptedFault).default([]),
    file: text.optional().describe('rows beside the manifest; without columns, questions in the form of --items'),
    columns: ColumnMapping.optional(),
    where: Where.optional(),
    hub: HubRows.optional(),
    local: LocalRows.optional(),
  })
  .refine(({ file, hub }) => (file === undefined) !== (hub === undefined), 'names a file or rows of the Hub (hub), one of the two')
  .refine(
    ({ hub, columns, where }) => hub === undefined || (columns === undefined && where === undefined),
    'columns and where stand in hub',
  )
  .refine(({ prompt }) => prompt === undefined || prompt.includes('{question}'), 'the prompt lacks {question}')
  .refine(
    ({ prompt, hub, columns }) => prompt === undefined || (hub?.columns ?? columns)?.options === undefined || prompt.includes('{options}'),
    'the prompt lacks {options}',
  );
export type TaskPart = z.infer<typeof Part>;

const unsaid = text.default('not stated');

/** A benchmark: what it is, where its rows come from, and how they become questions. One JSON file each. */
export const TaskManifest = z.strictObject({
  id: name,
  description: unsaid,
  source: unsaid,
  revision: unsaid.describe('of rows beside the manifest; the one of Hub rows stands with them'),
  licence: unsaid,
  caution: text.optional().describe('what a reader of figures on it must know; stands in the report'),
  example: z.record(z.string(), z.unknown()).optional().describe('a row in the form of the first part, in our own words'),
  parts: z.array(Part).min(1),
});
export type TaskManifest = z.infer<typeof TaskManifest>;
