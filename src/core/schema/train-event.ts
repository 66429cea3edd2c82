import { z } from 'zod';

const at = z.iso.datetime().describe('UTC');
const step = z.int().min(0);
const finite = z.number();

/** One line of the trainer's stdout: JSON, in the order of happening. Logs go to stderr. */
export const TrainEvent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('started'),
    at,
    runId: z.string(),
    backend: z.enum(['unsloth', 'peft', 'dry-run']),
    pid: z.int(),
    versions: z.record(z.string(), z.string()).describe('package to version'),
    device: z.strictObject({ kind: z.enum(['cpu', 'cuda', 'mps']), name: z.string(), memoryBytes: z.int().nullable() }),
    resolved: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .describe('settings as they were really used, such as precision, optimizer, loadedFrom'),
  }),
  z.strictObject({ type: z.literal('stage'), at, stage: z.enum(['preparing', 'training', 'saving', 'merging', 'reference']) }),
  z.strictObject({
    type: z.literal('dataset'),
    at,
    rows: z.int(),
    truncatedRows: z.int(),
    lengthTokens: z.strictObject({ min: z.int(), median: z.int(), p95: z.int(), max: z.int() }),
    firstText: z.string().describe('the first row as it is trained, complete'),
  }),
  z
    .strictObject({
      type: z.literal('base'),
      at,
      revision: z.string().nullable().describe('commit that was fetched'),
      files: z.array(z.strictObject({ path: z.string().describe('below its folder'), bytes: z.int(), sha256: z.string() })),
    })
    .describe('of a base that the trainer fetched by itself: what it reads of it, as the training began'),
  z.strictObject({
    type: z.literal('progress'),
    at,
    step,
    totalSteps: step,
    epoch: finite,
    loss: finite,
    learningRate: finite,
    gradNorm: finite.nullable(),
    tokensPerSecond: finite.nullable(),
    memoryBytes: z.int().nullable().describe('peak so far: device memory on CUDA, resident set elsewhere'),
    etaSeconds: finite.nullable(),
  }),
  z.strictObject({
    type: z.literal('heldOut'),
    at,
    step,
    loss: finite.describe('mean negative log-likelihood a token over the held-out rows'),
  }),
  z.strictObject({ type: z.literal('checkpoint'), at, step, path: z.string() }),
  z.strictObject({ type: z.literal('notice'), at, message: z.string() }),
  z.strictObject({
    type: z.literal('artifact'),
    at,
    kind: z.enum(['adapter', 'tokenizer', 'merged', 'reference']),
    path: z.string(),
    bytes: z.int(),
    files: z
      .array(
        z.strictObject({ path: z.string().describe('below `path`, or empty where that is a file'), bytes: z.int(), sha256: z.string() }),
      )
      .describe('every file of it, to check a copy by'),
  }),
  z
    .strictObject({
      type: z.literal('heartbeat'),
      at,
      step,
      idleSeconds: finite.describe('since the trainer last finished a piece of work, such as a step'),
    })
    .describe('every 15 seconds, from a thread of its own: silence means that the trainer is frozen or out of reach'),
  z.strictObject({ type: z.literal('stopped'), at, step, totalSteps: step }).describe('asked to stop: a checkpoint was saved'),
  z.strictObject({
    type: z.literal('failed'),
    at,
    reason: z.enum(['badJob', 'prerequisite', 'outOfMemory', 'diskFull', 'notFinite', 'unexpected']),
    message: z.string(),
    nextStep: z.string(),
  }),
  z.strictObject({
    type: z.literal('finished'),
    at,
    steps: step,
    finalLoss: finite,
    trainSeconds: finite,
    peakMemoryBytes: z.int().nullable(),
  }),
]);
export type TrainEvent = z.infer<typeof TrainEvent>;
