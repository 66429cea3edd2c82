import { appendFile, copyFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeJsonAtomically } from '../../src/core/atomic-file.ts';
import { sha256, sha256OfFile } from '../../src/core/digest.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import type { Run } from '../../src/core/schema/run.ts';
import type { TrainEvent } from '../../src/core/schema/train-event.ts';
import type { TrainJob } from '../../src/core/schema/train-job.ts';
import { openStore } from '../../src/core/store.ts';
import { recordOf } from '../../src/train/base-files.ts';
import { convertToGguf } from '../../src/train/convert-to-gguf.ts';
import { exportRun } from '../../src/train/export/export-run.ts';
import { exportFile, type RunExport } from '../../src/train/export/run-export.ts';
import { baseFolder } from '../../src/train/launchers/content-folder.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { ensurePython, trainerEnvironment } from '../../src/train/python-environment.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import { requireTransformers, resolveModel } from '../../src/train/resolve-model.ts';
import { type RunFolder, runFolder } from '../../src/train/run-folder.ts';
import { locateTemplate } from '../../src/train/locate-template.ts';
import { storedRun } from './stored-run.ts';
import { testConfig, testHome } from './test-home.ts';

/** A run that is exported but was not trained: a random adapter of rank 4 over the small real model. */
export interface CraftedRun {
  readonly run: Run;
  readonly folder: RunFolder;
  readonly baseDir: string;
  readonly python: string;
  readonly exported: RunExport;
}

const at = '2026-11-24T10:00:00.000Z';
const rowsFile = path.join(packageRoot, 'data/train/osler-medical-cot.jsonl');
const rowCount = 8;

/** Crafts adapter and merged model, exports them, and lets both models answer in Python: about half a minute on two cores. */
export async function craftRun(home: string, ggufTypes: readonly string[] = ['q8_0']): Promise<CraftedRun> {
  const config = testConfig();
  const python = await ensurePython({ python: config.python });
  const base = await resolveModel('smollm2-135m-instruct', null, { config, models: new ModelStore(openStore(':memory:')) });
  const baseDir = requireTransformers(base);
  const recipe = await resolveRecipe({
    preset: 'smoke',
    set: { 'lora.rank': 4, 'lora.alpha': 8, 'output.ggufTypes': ggufTypes, 'output.adapterGguf': true },
  });
  const run = storedRun(recipe, { id: 'run-crafted', state: 'certifying' });
  const folder = runFolder(home, run.id);
  await mkdir(folder.root, { recursive: true });
  await copyFile(locateTemplate('medical-cot'), folder.template);
  await writeInput(folder, run, baseDir);
  const trainer = async (...words: string[]): Promise<void> => {
    await execa(python, words, { env: trainerEnvironment() });
  };
  await trainer(path.join(packageRoot, 'test/support/craft-run.py'), baseDir, folder.template, folder.root);
  for (const kind of ['adapter', 'merged'] as const)
    await appendFile(folder.events, `${JSON.stringify(await artifactOf(kind, folder[kind]))}\n`);
  await trainer('-m', 'osler_trainer', 'reference', '--job', folder.job, '--prompts', '3', '--texts', '2');
  const exported = await exportRun(run, folder, { config });
  return { run, folder, baseDir, python, exported };
}

async function writeInput(folder: RunFolder, run: Run, baseDir: string): Promise<void> {
  const rows = await readFile(rowsFile, 'utf8');
  const lines = rows
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Question: string; Complex_CoT: string; Response: string }) // the project's own rows
    .map((row) => ({ question: row.Question, thought: row.Complex_CoT, answer: row.Response }))
    .map((row) => `${JSON.stringify({ id: sha256(JSON.stringify(row)), ...row })}\n`);
  await writeFile(folder.trainRows, lines.slice(0, rowCount).join(''));
  await writeFile(folder.heldOutRows, lines.slice(-rowCount).join(''));
  await writeJsonAtomically(folder.source, {
    data: { ref: rowsFile, revision: null, sha256: sha256(lines.join('')), trainRows: rowCount, heldOutRows: rowCount },
    base: { ref: run.recipe.base.ref, revision: null, files: recordOf(await baseFolder(baseDir)) },
  });
  await writeJsonAtomically(folder.job, {
    schemaVersion: 1,
    runId: run.id,
    recipe: run.recipe,
    basePath: baseDir,
    trainFile: folder.trainRows,
    heldOutFile: folder.heldOutRows,
    templateFile: folder.template,
    outputDir: folder.root,
    threads: testConfig().threads,
    resume: true,
    dryRun: false,
  } satisfies TrainJob);
}

async function artifactOf(kind: 'adapter' | 'merged', place: string): Promise<TrainEvent> {
  const files = await Promise.all(
    (await readdir(place)).map(async (name) => ({
      path: name,
      bytes: (await stat(path.join(place, name))).size,
      sha256: await sha256OfFile(path.join(place, name)),
    })),
  );
  return { type: 'artifact', at, kind, path: place, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), files };
}

/** The same run with another file as its q8_0, listed as if it had been exported so. */
export async function withGguf(crafted: CraftedRun, home: string, file: string): Promise<CraftedRun> {
  const folder = runFolder(home, crafted.run.id);
  await mkdir(folder.root, { recursive: true });
  for (const name of await readdir(crafted.folder.root))
    if (name !== 'merged-q8_0.gguf' && !name.startsWith('certificate'))
      await symlink(path.join(crafted.folder.root, name), path.join(folder.root, name)).catch(() => undefined);
  await symlink(file, folder.gguf('q8_0'));
  const { size } = await stat(file);
  const ggufs = crafted.exported.ggufs.map((gguf) => ({ ...gguf, bytes: size }));
  const digest = await sha256OfFile(file);
  const exported = { ...crafted.exported, ggufs: ggufs.map((gguf) => ({ ...gguf, sha256: digest })) };
  await writeJsonAtomically(exportFile(folder), exported);
  return { ...crafted, folder, exported };
}

/** Converts a folder as an export would, without looking at what comes of it. */
export async function convertAnyway(crafted: CraftedRun, source: string, target: string): Promise<void> {
  await convertToGguf({ python: crafted.python, cacheDir: path.join(testHome, 'cache'), source, target, type: 'q8_0' });
}
