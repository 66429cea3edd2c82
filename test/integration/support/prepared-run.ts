import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';
import { TrainJob } from '../../../src/core/schema/train-job.ts';
import { runFolder, type RunFolder } from '../../../src/train/run-folder.ts';

/** The Python that has the trainer's requirements. */
export const trainerPython = path.join(packageRoot, '.venv/bin/python');

const rows = [1, 2, 3].map((number) => ({
  id: `row-${number}`,
  question: `Question ${number}?`,
  thought: 'A thought.',
  answer: 'An answer.',
}));

export interface PreparedOptions {
  readonly home: string;
  readonly id: string;
  readonly maxSteps?: number;
  readonly basePath?: string;
}

/** A run's folder as it is when its trainer is to be started, for a dry run of `maxSteps` steps of 30 ms. */
export async function preparedRun({ home, id, maxSteps = 5, basePath = 'owner/name' }: PreparedOptions): Promise<RunFolder> {
  const folder = runFolder(home, id);
  await mkdir(folder.root, { recursive: true });
  await writeFile(folder.trainRows, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await copyFile(path.join(packageRoot, 'python/osler_trainer/templates/medical-cot.jinja'), folder.template);
  const preset = JSON.parse(await readFile(path.join(packageRoot, 'src/train/presets/smoke.json'), 'utf8')) as Record<string, object>;
  const job = TrainJob.parse({
    schemaVersion: 1,
    runId: id,
    recipe: { ...preset, trainer: { ...preset['trainer'], maxSteps, loggingSteps: 1 } },
    basePath,
    trainFile: folder.trainRows,
    heldOutFile: null,
    templateFile: folder.template,
    outputDir: folder.root,
    threads: 1,
    resume: true,
    dryRun: true,
  });
  await writeFile(folder.job, JSON.stringify(job));
  return folder;
}
