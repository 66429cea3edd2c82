import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { writeJsonAtomically } from '../../src/core/atomic-file.ts';
import type { Config } from '../../src/core/config.ts';
import { digestOfJson } from '../../src/core/digest.ts';
import { toJsonLines } from '../../src/core/jsonl.ts';
import type { Recipe } from '../../src/core/schema/recipe.ts';
import { TrainJob } from '../../src/core/schema/train-job.ts';
import { prepareData } from '../../src/train/data/prepare-data.ts';
import { readEvents } from '../../src/train/event-file.ts';
import { trainerEnvironment } from '../../src/train/python-environment.ts';
import { locateTemplate } from '../../src/train/locate-template.ts';

const measureLengthTokens = 4096;
const measureProgram = path.join(import.meta.dirname, 'held_out_nll.py');

/** Likelihood of every held-out row under one model. */
export const Likelihood = z.object({
  rows: z.array(z.object({ id: z.string(), tokens: z.int(), nats: z.number() })).min(1),
  versions: z.record(z.string(), z.string()),
});
export type Likelihood = z.infer<typeof Likelihood>;

/** One training with what it cost and gave. */
export const TrainedArm = z.object({
  likelihood: Likelihood,
  trainRows: z.int(),
  steps: z.int(),
  finalLoss: z.number(),
  trainSeconds: z.number(),
  versions: z.record(z.string(), z.string()),
  device: z.string(),
});
export type TrainedArm = z.infer<typeof TrainedArm>;

export interface BenchDeps {
  readonly config: Config;
  readonly python: string;
  readonly baseFolder: string;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Trains by a recipe and measures the merged model. What was done before with the same recipe is taken from the cache. */
export async function trainArm(recipe: Recipe, name: string, deps: BenchDeps): Promise<TrainedArm> {
  const folder = path.join(deps.config.home, 'cache/bench-train', digestOfJson(recipe).slice(0, 16));
  const kept = path.join(folder, 'result.json');
  if (existsSync(kept)) {
    deps.report(`${name}: kept from an earlier run`);
    return TrainedArm.parse(JSON.parse(await readFile(kept, 'utf8')));
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const job = await writeJob(recipe, folder, deps);
  deps.report(`${name}: train`);
  const { exitCode, stderr } = await execa(deps.python, ['-m', 'osler_trainer', 'train', path.join(folder, 'job.json')], {
    env: trainerEnvironment(),
    stdout: { file: path.join(folder, 'events.jsonl') },
    reject: false,
    cancelSignal: deps.signal,
  });
  const events = await readEvents(path.join(folder, 'events.jsonl'));
  const finished = events.find((event) => event.type === 'finished');
  const started = events.find((event) => event.type === 'started');
  if (exitCode !== 0 || finished === undefined || started === undefined)
    throw new Error(`${name} was not trained:\n${stderr.slice(-2000)}`);
  deps.report(`${name}: measure`);
  const result: TrainedArm = {
    likelihood: await measure(path.join(folder, 'merged'), job, deps),
    trainRows: events.find((event) => event.type === 'dataset')?.rows ?? 0,
    steps: finished.steps,
    finalLoss: finished.finalLoss,
    trainSeconds: finished.trainSeconds,
    versions: started.versions,
    device: started.device.name,
  };
  await writeJsonAtomically(kept, result);
  for (const name of ['merged', 'adapter', 'outputs', 'reference']) await rm(path.join(folder, name), { recursive: true, force: true });
  return result;
}

/** The base itself, measured on the held-out rows of a recipe. */
export async function measureBase(recipe: Recipe, deps: BenchDeps): Promise<Likelihood> {
  const folder = path.join(deps.config.home, 'cache/bench-train', `base-${digestOfJson([recipe.base, recipe.data]).slice(0, 16)}`);
  const kept = path.join(folder, 'result.json');
  if (existsSync(kept)) return Likelihood.parse(JSON.parse(await readFile(kept, 'utf8')));
  await mkdir(folder, { recursive: true });
  deps.report('base: measure');
  const likelihood = await measure(deps.baseFolder, await writeJob(recipe, folder, deps), deps);
  await writeJsonAtomically(kept, likelihood);
  return likelihood;
}

async function writeJob(recipe: Recipe, folder: string, { config, baseFolder }: BenchDeps): Promise<TrainJob> {
  const data = await prepareData(recipe.data, { config });
  const job = TrainJob.parse({
    schemaVersion: 1,
    runId: 'bench',
    recipe,
    basePath: baseFolder,
    trainFile: path.join(folder, 'train.jsonl'),
    heldOutFile: path.join(folder, 'heldout.jsonl'),
    templateFile: path.join(folder, 'template.jinja'),
    outputDir: folder,
    threads: config.threads,
    resume: false,
    dryRun: false,
  } satisfies TrainJob);
  await writeFile(job.trainFile, toJsonLines(data.train));
  await writeFile(path.join(folder, 'heldout.jsonl'), toJsonLines(data.heldOut));
  await copyFile(locateTemplate(recipe.template), job.templateFile);
  await writeFile(path.join(folder, 'job.json'), JSON.stringify(job));
  return job;
}

async function measure(model: string, job: TrainJob, { python, signal }: BenchDeps): Promise<Likelihood> {
  const words = ['--model', model, '--rows', String(job.heldOutFile), '--template', job.templateFile];
  const { stdout } = await execa(
    python,
    [measureProgram, ...words, '--max-length', String(measureLengthTokens), '--threads', String(job.threads)],
    { env: trainerEnvironment(), cancelSignal: signal },
  );
  return Likelihood.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
}
