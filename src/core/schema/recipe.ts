import { z } from 'zod';
import { GgufType } from './gguf-type.ts';

/**
 * How a run is trained: everything that decides the resulting weights.
 *
 * The resolved recipe is written into the run; the Python trainer reads it through the JSON Schema
 * generated from here. Names follow peft, TRL and transformers where they have one.
 */
export const Recipe = z
  .strictObject({
    schemaVersion: z.literal(1),
    name: z.string().min(1).describe('name of the preset that this recipe began as'),
    backend: z.enum(['auto', 'unsloth', 'peft']).describe('auto: unsloth where CUDA and unsloth are present, else peft'),
    base: z.strictObject({
      ref: z.string().min(1).describe('path, registry id or Hub id of the base model'),
      revision: z.string().min(1).nullable().describe('Hub revision (commit); null: the newest, which is then pinned in the run'),
      loadIn4bit: z.boolean().describe('NF4; needs bitsandbytes on CUDA, elsewhere 16 or 32 bit with a notice'),
      dtype: z.enum(['auto', 'bf16', 'fp16', 'fp32']),
      maxLengthTokens: z.int().min(16).max(1_048_576).describe('rows are cut after so many tokens, and counted'),
    }),
    data: z.strictObject({
      ref: z.string().min(1).describe('JSON, JSON Lines, CSV or Parquet file, or Hub data set id'),
      revision: z.string().min(1).nullable(),
      config: z.string().min(1).nullable().describe('configuration of a Hub data set, such as en'),
      split: z.string().min(1).describe('split of a Hub data set, such as train'),
      offset: z.int().min(0).describe('first row used'),
      limit: z.int().min(1).nullable().describe('rows used from the offset on; null: all but the held-out ones'),
      heldOutRows: z.int().min(0).describe('rows kept out of training'),
      heldOutSeed: z
        .int()
        .min(0)
        .nullable()
        .describe(
          'null: held-out rows follow offset + limit, or are the last ones where limit is null; a number: they are drawn with it, from all rows but offset to offset + limit, or from all where limit is null',
        ),
      deduplicate: z.boolean().describe('leave out rows whose question, normalised, stood in an earlier row'),
      columns: z.strictObject({ question: z.string().min(1), thought: z.string().min(1), answer: z.string().min(1) }),
    }),
    template: z.string().min(1).describe('name of a template in python/…/templates, or path of a Jinja file'),
    lora: z.strictObject({
      rank: z.int().min(1).max(1024),
      alpha: z.number().positive(),
      dropout: z.number().min(0).max(0.9),
      bias: z.literal('none'),
      targetModules: z.array(z.string().min(1)).min(1),
      gradientCheckpointing: z.union([z.literal('unsloth'), z.boolean()]).describe('outside unsloth, "unsloth" becomes true'),
      randomState: z.int().min(0),
      useRslora: z.boolean(),
      loftqConfig: z.null(),
    }),
    trainer: z.strictObject({
      perDeviceBatchSize: z.int().min(1),
      gradientAccumulationSteps: z.int().min(1),
      warmupSteps: z.int().min(0),
      maxSteps: z.int().min(1).nullable().describe('null: epochs decides'),
      epochs: z.number().positive().nullable().describe('null: maxSteps decides'),
      learningRate: z.number().positive(),
      lrScheduler: z.enum(['linear', 'cosine', 'constant']),
      weightDecay: z.number().min(0),
      optimizer: z.enum(['adamw_8bit', 'adamw_torch']).describe('outside CUDA, adamw_8bit becomes adamw_torch'),
      loggingSteps: z.int().min(1),
      saveSteps: z.int().min(1).describe('checkpoint every so many steps; resume begins at the last'),
      seed: z.int().min(0),
      datasetWorkers: z.int().min(1),
      processes: z.int().min(1).describe('processes of torchrun, one a GPU; each adds its own batch'),
      packing: z.boolean(),
      precision: z
        .enum(['auto', 'bf16', 'fp16', 'fp32'])
        .describe('auto: bf16 where the device has it, else fp16 on CUDA and fp32 on the CPU'),
      lossOn: z.enum(['all', 'response']).describe('all: the whole text; response: thought and answer only'),
      evalSteps: z.int().min(1).nullable().describe('held-out loss every so many steps; null: never'),
      earlyStopPatience: z.int().min(1).nullable().describe('evaluations without improvement before the run stops; needs evalSteps'),
      keepBestCheckpoint: z.boolean().describe('export the checkpoint of least held-out loss, not the last; needs evalSteps'),
    }),
    tracking: z.strictObject({
      reportTo: z.array(z.enum(['wandb', 'trackio', 'tensorboard'])),
      project: z.string().min(1),
      jobType: z.string().min(1),
    }),
    output: z.strictObject({
      name: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/)
        .describe('name of the merged model'),
      ggufTypes: z.array(GgufType).min(1).describe('GGUF files to make; the first is the one that is served'),
      adapterGguf: z.boolean().describe('make the adapter a GGUF of its own too, to be served over the base'),
    }),
  })
  .check((ctx) => {
    const { trainer, lora } = ctx.value;
    if ((trainer.maxSteps === null) === (trainer.epochs === null)) {
      ctx.issues.push({
        code: 'custom',
        input: trainer,
        path: ['trainer', 'maxSteps'],
        message: 'exactly one of trainer.maxSteps and trainer.epochs must be set, the other null',
      });
    }
    if ((trainer.earlyStopPatience !== null || trainer.keepBestCheckpoint) && trainer.evalSteps === null) {
      ctx.issues.push({
        code: 'custom',
        input: trainer,
        path: ['trainer', 'evalSteps'],
        message: 'early stopping and keepBestCheckpoint need trainer.evalSteps',
      });
    }
    if (lora.loftqConfig !== null)
      ctx.issues.push({ code: 'custom', input: lora, path: ['lora', 'loftqConfig'], message: 'LoftQ is not supported' });
  });
export type Recipe = z.infer<typeof Recipe>;
