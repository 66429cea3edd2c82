import { Command, InvalidArgumentError } from 'commander';
import type { Recipe } from '../../src/core/schema/recipe.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';

/** What is compared; the second minus the first is reported. */
export const arms = ['tutorial', 'recommended'] as const;
export type Arm = (typeof arms)[number];

/** What is trained, with which settings. */
export interface TrainPlan {
  readonly size: 'quick' | 'cpu' | 'full';
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly batch: { readonly perDevice: number; readonly accumulation: number };
  /** Rows are cut after so many tokens; the prompt alone has up to 250. */
  readonly maxLengthTokens: number;
  readonly heldOutRows: number;
  readonly base: string;
  readonly data: string;
}

const sizes = {
  quick: { seeds: [1], steps: 3, batch: { perDevice: 1, accumulation: 2 }, maxLengthTokens: 384, heldOutRows: 8 },
  cpu: { seeds: [1, 2, 3], steps: 20, batch: { perDevice: 2, accumulation: 2 }, maxLengthTokens: 512, heldOutRows: 20 },
  full: { seeds: [1, 2, 3], steps: 60, batch: { perDevice: 2, accumulation: 4 }, maxLengthTokens: 2048, heldOutRows: 20 },
} as const;

/** Reads the words after the program's name. Throws commander's error for words that cannot be read. */
export function readPlan(words: readonly string[]): TrainPlan {
  const flags = new Command('bench:train')
    .description(
      'preset recommended beside preset tutorial: held-out likelihood at equal tokens, from the same base, on the same rows in the same order',
    )
    .option('--quick', 'one seed, three steps: shows that it works, and no more')
    .option('--full', '60 steps of 8 rows, as in the tutorial; meant for CUDA')
    .option('--seeds <list>', 'seeds, such as 1,2,3', seedsOf)
    .option('--base <ref>', 'base model', 'smollm2-135m-instruct')
    .option('--data <ref>', 'rows', 'data/train/osler-medical-cot.jsonl')
    .exitOverride()
    .parse(words, { from: 'user' })
    .opts<{ quick?: true; full?: true; seeds?: number[]; base: string; data: string }>();
  const size = flags.quick === true ? 'quick' : flags.full === true ? 'full' : 'cpu';
  return { size, ...sizes[size], ...(flags.seeds && { seeds: flags.seeds }), base: flags.base, data: flags.data };
}

/**
 * A preset's recipe with everything made equal that is not the preset's idea: base, rows, steps, batch and length, and so the
 * tokens. Early stopping and the best checkpoint are off: they would let one arm choose its tokens.
 */
export async function recipeOf(arm: Arm, seed: number, plan: TrainPlan): Promise<Recipe> {
  const set = {
    backend: plan.size === 'full' ? 'auto' : 'peft',
    'base.ref': plan.base,
    'base.loadIn4bit': false,
    'base.maxLengthTokens': plan.maxLengthTokens,
    'data.ref': plan.data,
    'data.config': null,
    'data.limit': null,
    'data.heldOutRows': plan.heldOutRows,
    // The same held-out rows for every seed.
    'data.heldOutSeed': 3407,
    'data.deduplicate': true,
    'lora.randomState': seed,
    'lora.gradientCheckpointing': false,
    'trainer.seed': seed,
    'trainer.perDeviceBatchSize': plan.batch.perDevice,
    'trainer.gradientAccumulationSteps': plan.batch.accumulation,
    'trainer.maxSteps': plan.steps,
    'trainer.epochs': null,
    'trainer.warmupSteps': Math.min(5, Math.ceil(plan.steps / 4)),
    'trainer.loggingSteps': 1,
    'trainer.saveSteps': plan.steps,
    'trainer.evalSteps': null,
    'trainer.earlyStopPatience': null,
    'trainer.keepBestCheckpoint': false,
    'output.name': 'bench',
  };
  return await resolveRecipe({ preset: arm, set });
}

/** Settings in which two recipes differ, with both values. */
export function differingSettings(a: Recipe, b: Recipe): Record<string, [unknown, unknown]> {
  const [left, right] = [flattened(a), flattened(b)];
  return Object.fromEntries(
    [...left]
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(right.get(name)))
      .map(([name, value]) => [name, [value, right.get(name)]]),
  );
}

function flattened(value: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? [...flattened(inner, `${prefix}${name}.`)]
        : [[`${prefix}${name}`, inner]],
    ),
  );
}

function seedsOf(text: string): number[] {
  const seeds = text.split(',').map(Number);
  if (seeds.some((seed) => !Number.isInteger(seed) || seed < 0)) throw new InvalidArgumentError('whole numbers with commas are wanted.');
  return seeds;
}
