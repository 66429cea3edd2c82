import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Run } from '../../core/schema/run.ts';
import type { RunFolder } from '../run-folder.ts';
import { Exporter, type ExportRunDeps, type ExportRunOptions } from './exporter.ts';
import { readExportSource } from './export-source.ts';
import { readRunExport, type RunExport } from './run-export.ts';

const leftover = /^(?:.*\.\d+\.tmp|between-\w+\.gguf|\.adapter-view-.*|\.gguf-metadata\.json)$/;

/**
 * Makes what a recipe asks for out of a run's merged model: GGUF files, the adapter as GGUF, a Modelfile; and lists it in
 * export.json, file by file. What is listed, whole and of the same merged model is not made again; types made before stay.
 * The caller holds the lock of the run's folder.
 *
 * @throws OSLER_ERR_EXPORT_FAILED, OSLER_ERR_DISK_FULL, OSLER_ERR_TOOL_MISSING
 */
export async function exportRun(run: Run, folder: RunFolder, deps: ExportRunDeps, options: ExportRunOptions = {}): Promise<RunExport> {
  await removeLeftovers(folder);
  const source = await readExportSource(run, folder);
  const before = await readRunExport(folder);
  const kept = before?.sourceSha256 === source.sha256 ? before : undefined;
  const types = [...new Set([...run.recipe.output.ggufTypes, ...(before?.ggufs ?? []).map(({ type }) => type), ...(options.types ?? [])])];
  const exporter = new Exporter({ run, folder, deps, options, source, types });
  if (kept !== undefined) await exporter.keep(kept);
  try {
    await exporter.makeGgufs();
    await exporter.makeAdapter();
    return await exporter.finish();
  } finally {
    await removeLeftovers(folder);
  }
}

/** What a process that was killed left half-made. */
async function removeLeftovers(folder: RunFolder): Promise<void> {
  const names = (await readdir(folder.root).catch(() => [])).filter((name) => leftover.test(name));
  for (const name of names) await rm(path.join(folder.root, name), { recursive: true, force: true });
}
