import { OSLER_ERR_EXPORT_FAILED } from '../core/errors.ts';
import path from 'node:path';
import type { Run, RunState } from '../core/schema/run.ts';
import type { RunExport } from './export/run-export.ts';
import { type RunFolder, runFolder } from './run-folder.ts';
import type { StageOptions, TrainingsDeps } from './training-deps.ts';
import { cancelled } from './wish-watch.ts';

/**
 * Takes a trained run to its end: export, certificate, registration as a candidate. It is registered last and in one piece,
 * so that nothing unfinished can be served. A dry run has made nothing.
 */
export async function finishRun(run: Run, deps: TrainingsDeps, options: StageOptions): Promise<void> {
  const { runs, exportRun, certifyRun } = deps;
  const folder = runFolder(deps.config.home, run.id);
  const enter = (state: RunState): void => {
    options.signal.throwIfAborted();
    if (!runs.setState(run.id, state)) throw cancelled(run.id);
  };
  if (run.isDryRun) return enter('done');
  enter('converting');
  const exported = await exportRun(run, folder, options);
  if (certifyRun !== undefined) {
    enter('certifying');
    await certifyRun(run, folder, exported, options);
  }
  options.signal.throwIfAborted();
  runs.inTransaction(() => {
    if (!runs.setState(run.id, 'done')) throw cancelled(run.id);
    register(run, folder, exported, deps);
  });
}

function register(run: Run, folder: RunFolder, exported: RunExport, { models, clock }: TrainingsDeps): void {
  const served = exported.ggufs.find((gguf) => gguf.type === run.recipe.output.ggufTypes[0]);
  if (served === undefined)
    throw new OSLER_ERR_EXPORT_FAILED(folder.root, `there is no GGUF file of type "${run.recipe.output.ggufTypes[0]}"`);
  models.put({
    id: run.id,
    runId: run.id,
    baseRef: run.recipe.base.ref,
    transformersDir: folder.merged,
    ggufFile: path.join(folder.root, served.file),
    ggufSha256: served.sha256,
    templateFile: folder.template,
    status: 'candidate',
    createdAt: clock.now().toISOString(),
  });
}
