import { z } from 'zod';

const bytes = z.int().min(0);
const count = z.int().min(0);

/** What a finding is about; each has one meaning, so that a page or a test can tell them apart. */
export const PreflightCode = z.enum([
  'deviceMissing',
  'driverTooOld',
  'deviceTooOld',
  'deviceTaken',
  'devicesTooFew',
  'packageMissing',
  'settingReplaced',
  'baseMissing',
  'dataInvalid',
  'rowsTruncated',
  'rowsWithoutResponse',
  'lengthUnused',
  'lengthBeyondBase',
  'memoryShort',
  'memoryTight',
  'memoryUnknown',
  'diskShort',
]);
export type PreflightCode = z.infer<typeof PreflightCode>;

/** Something to mend (`error`: the training would fail), to look at (`warning`) or to know (`note`). */
export const PreflightFinding = z.strictObject({
  level: z.enum(['error', 'warning', 'note']),
  code: PreflightCode,
  message: z.string().describe('what was found and what to do, in plain sentences'),
  setting: z.string().nullable().describe('field of the recipe that mends it, such as base.maxLengthTokens; null: none does'),
  value: z.union([z.string(), z.number(), z.boolean(), z.null()]).describe('value of that field which would do; null: none is proposed'),
});
export type PreflightFinding = z.infer<typeof PreflightFinding>;

const DiskStage = z.strictObject({
  name: z.enum(['checkpoints', 'adapter', 'merged', 'gguf', 'adapterGguf']),
  bytes,
  description: z.string(),
});

/**
 * What the host that trains knows before it trains: the single line that `python -m osler_trainer preflight --job JOB`
 * writes to stdout, exit code 0 whatever the findings are. A job that is not valid ends with exit code 2 and a `failed`
 * event of the trainer's events in place of it.
 *
 * Shape: `{schemaVersion: 1, runId, backend, device, deviceCount, versions, rows, memory, disk, findings}`. Whatever
 * could not be found out is null, and a finding says why. Sizes are bytes, lengths tokens.
 */
export const Preflight = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  backend: z.enum(['unsloth', 'peft']).nullable().describe('that would be used'),
  device: z.strictObject({
    kind: z.enum(['cpu', 'cuda', 'mps']),
    name: z.string(),
    totalBytes: bytes.nullable().describe('device memory on CUDA, RAM elsewhere'),
    freeBytes: bytes.nullable().describe('of it now'),
    driverVersion: z.string().nullable().describe('of the NVIDIA driver, where nvidia-smi tells it'),
    driverCudaVersion: z.string().nullable().describe('newest CUDA version that the driver supports'),
    torchCudaVersion: z.string().nullable().describe('CUDA version that torch was built for; null: built without'),
    computeCapability: z.string().nullable().describe('such as 9.0'),
    hasBf16: z.boolean(),
  }),
  deviceCount: count.describe('CUDA devices that torch sees; 1 without CUDA'),
  versions: z.record(z.string(), z.string()).describe('package to version'),
  rows: z
    .strictObject({
      count,
      lengthTokens: z.strictObject({ min: z.int(), median: z.int(), p95: z.int(), max: z.int() }).describe('before any row is cut'),
      truncated: count.describe('rows longer than base.maxLengthTokens'),
      withoutResponse: count.describe('rows that are cut before their response begins'),
    })
    .nullable()
    .describe('of the training rows'),
  memory: z
    .strictObject({
      terms: z.array(z.strictObject({ name: z.string(), bytes, description: z.string() })).describe('what the memory goes to'),
      neededBytes: bytes.describe('sum of the terms'),
      freeBytes: bytes.nullable().describe('device memory on CUDA, RAM elsewhere; all of it where the run waits for others to end'),
      largestBatch: count.nullable().describe('rows of base.maxLengthTokens a device that fit; null: the free memory is not known'),
      largestLengthTokens: count.nullable().describe('tokens a row that fit at trainer.perDeviceBatchSize; null likewise'),
    })
    .nullable()
    .describe('estimate for one device'),
  disk: z
    .strictObject({
      stages: z.array(DiskStage).describe('on the disk of the host'),
      elsewhere: z.array(DiskStage).describe('exports that another machine makes of what it fetches'),
      neededBytes: bytes.describe('sum of the stages'),
      freeBytes: bytes.describe('of the file system of outputDir'),
    })
    .nullable(),
  findings: z.array(PreflightFinding).describe('errors first'),
});
export type Preflight = z.infer<typeof Preflight>;
