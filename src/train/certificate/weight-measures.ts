import { execa } from 'execa';
import { z } from 'zod';
import { OSLER_ERR_CERTIFICATE_MEASURE } from '../../core/errors.ts';
import { trainerEnvironment } from '../python-environment.ts';

const names = z.array(z.string());

/** What `osler_trainer compare-weights` measures; see python/osler_trainer/weight_comparison.py for each field. */
export const WeightMeasures = z.strictObject({
  adapter: z.strictObject({ targeted: z.int(), scale: z.number(), zero: names, notFinite: names, untouched: names }),
  merged: z.strictObject({
    unmerged: names,
    wrong: names,
    nil: names,
    changed: names,
    maxRoundings: z.number(),
    untargeted: z.int(),
    missing: names,
    extra: names,
    relativeUpdate: z.number(),
    updateShare: z.number().nullable(),
  }),
  ggufs: z.array(
    z.strictObject({
      file: z.string(),
      problem: z.string().nullable().describe('why the file cannot be read'),
      architecture: z.string(),
      isKnownLayout: z.boolean(),
      tensors: z.int(),
      exact: z.int(),
      different: names,
      missing: names,
      extra: names,
      untargeted: z.int(),
      untargetedDifferent: z.int(),
      worst: z.strictObject({ tensor: z.string(), type: z.string(), error: z.number() }).nullable(),
      updateShare: z.number().nullable(),
      updateShareError: z.number().nullable(),
    }),
  ),
});
export type WeightMeasures = z.infer<typeof WeightMeasures>;

/** Folders and files of one comparison. */
export interface WeightPaths {
  readonly base: string;
  readonly adapter: string;
  readonly merged: string;
  readonly ggufs: readonly string[];
}

/** Compares every tensor of merged folder and GGUF files with base and adapter. Throws OSLER_ERR_CERTIFICATE_MEASURE. */
export async function measureWeights(python: string, paths: WeightPaths, signal?: AbortSignal): Promise<WeightMeasures> {
  const words = ['compare-weights', '--base', paths.base, '--adapter', paths.adapter, '--merged', paths.merged];
  const printed = await runTrainer(python, [...words, ...paths.ggufs.flatMap((file) => ['--gguf', file])], signal);
  return WeightMeasures.parse(JSON.parse(printed));
}

/** Lets base and merged model answer in Python, for the run's `reference/`. Throws OSLER_ERR_CERTIFICATE_MEASURE. */
export async function makeReference(python: string, jobFile: string, signal?: AbortSignal): Promise<void> {
  await runTrainer(python, ['reference', '--job', jobFile], signal);
}

async function runTrainer(python: string, words: readonly string[], signal?: AbortSignal): Promise<string> {
  const result = await execa(python, ['-m', 'osler_trainer', ...words], {
    reject: false,
    env: trainerEnvironment(),
    ...(signal && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (result.exitCode !== 0)
    throw new OSLER_ERR_CERTIFICATE_MEASURE(words[0] ?? '', lastLines(result.stdout || result.stderr || result.message || ''));
  return result.stdout;
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ');
}
