import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { checkFreeDisk } from '../core/free-disk.ts';
import type { Run } from '../core/schema/run.ts';
import { TrainJob } from '../core/schema/train-job.ts';
import { readBase, recordFetchedBase, recordOf } from './base-files.ts';
import { freezeInput } from './freeze-input.ts';
import type { StartOptions } from './launchers/launcher.ts';
import { isFetchedThere } from './preflight/base-for-check.ts';
import { requireTransformers, resolveModel } from './resolve-model.ts';
import type { RunFolder } from './run-folder.ts';
import { readSource, type RunSource } from './run-source.ts';
import type { StageOptions, TrainingsDeps } from './training-deps.ts';

/** Merged model and GGUF are about as large as the base each; adapter and checkpoints are small beside them. */
const outputsPerBase = 2.2;

/** Folder of the base, or a Hub id that the launcher's host fetches by itself; and what is in the folder, where it was read. */
export type PreparedBase = Pick<StartOptions, 'basePath' | 'baseContent'>;

/** Writes everything that the trainer of a run reads: rows, template, recipe and job; and source.json, with the base's checksums. */
export async function prepareRun(run: Run, folder: RunFolder, deps: TrainingsDeps, options: StageOptions): Promise<PreparedBase> {
  const { recipe } = run;
  // What an earlier try was told of a base on the Hub; a branch may have moved since.
  await recordFetchedBase(folder);
  const frozen = (await readSource(folder)) ?? (await freezeInput(run, folder, deps.config, options.signal));
  await writeJsonAtomically(folder.recipe, recipe);
  const base = await findBase(run, frozen, folder, deps, options);
  const job = TrainJob.parse({
    schemaVersion: 1,
    runId: run.id,
    recipe: { ...recipe, base: { ...recipe.base, revision: frozen.base.revision ?? recipe.base.revision } },
    basePath: base.basePath,
    trainFile: folder.trainRows,
    heldOutFile: frozen.data.heldOutRows > 0 ? folder.heldOutRows : null,
    templateFile: folder.template,
    outputDir: folder.root,
    threads: deps.config.threads,
    resume: true,
    dryRun: run.isDryRun,
  } satisfies TrainJob);
  await writeJsonAtomically(folder.job, job);
  return base;
}

async function findBase(run: Run, frozen: RunSource, folder: RunFolder, deps: TrainingsDeps, options: StageOptions): Promise<PreparedBase> {
  const { ref, revision } = run.recipe.base;
  // Another machine has a line of its own to the Hub: a model of many GB need not pass through this one.
  if (run.launcher !== 'local' && isFetchedThere(ref, deps.models)) return { basePath: ref };
  const base = await resolveModel(ref, frozen.base.revision ?? revision, { ...deps, onStep: options.onStep, signal: options.signal });
  const basePath = requireTransformers(base);
  await checkFreeDisk(folder.root, outputsPerBase * (await folderBytes(basePath)));
  const baseContent = await readBase(basePath, run, frozen.base.files, options);
  const files = frozen.base.files ?? (baseContent && recordOf(baseContent));
  const recorded = { ...frozen.base, revision: base.revision ?? frozen.base.revision, ...(files && { files }) };
  await writeJsonAtomically(folder.source, { ...frozen, base: recorded } satisfies RunSource);
  return { basePath, baseContent };
}

/** Bytes of the files directly in a folder. */
async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
