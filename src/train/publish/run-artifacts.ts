import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { GgufType } from '../../core/schema/gguf-type.ts';
import type { Run } from '../../core/schema/run.ts';
import type { TrainEvent } from '../../core/schema/train-event.ts';
import { exportFile, RunExport } from '../export/run-export.ts';
import type { StoredModel } from '../model-store.ts';
import type { RunFolder } from '../run-folder.ts';

/** A file of a run, with the sha256 that was noted when it was written. */
export interface ArtifactFile {
  /** Below its folder. */
  readonly path: string;
  readonly file: string;
  readonly sha256: string | null;
}

/** A GGUF of a run with the name of its number format, such as Q8_0. */
export interface GgufArtifact {
  readonly type: string;
  readonly file: string;
  readonly sha256: string | null;
}

/** What a run has to give. Empty lists and nulls: not made. */
export interface RunArtifacts {
  readonly adapter: readonly ArtifactFile[];
  readonly merged: readonly ArtifactFile[];
  readonly ggufs: readonly GgufArtifact[];
  readonly adapterGguf: { readonly file: string; readonly sha256: string } | null;
  /** Text for Ollama. */
  readonly modelfile: string | null;
  /** What users should know of the exported files. */
  readonly notices: readonly string[];
}

/** Weights, settings, tokenizer and template; no pickles, optimizer states or cards of other programs. */
const publishedFiles = /^(?:[\w.-]+\.safetensors|[\w.-]+\.json|[\w.-]+\.jinja|tokenizer\.model|merges\.txt|vocab\.txt)$/;

/** Looks for what a run left in its folder; files that its events name must be as they say when they are used. */
export async function findArtifacts(run: Run, folder: RunFolder, events: readonly TrainEvent[]): Promise<RunArtifacts> {
  const adapter = await filesOf(folder.adapter, 'adapter', events);
  const merged = await filesOf(folder.merged, 'merged', events);
  const list = await readExportList(folder);
  if (list === undefined)
    return { adapter, merged, ggufs: await unlistedGgufs(run, folder), adapterGguf: null, modelfile: null, notices: [] };
  const inRun = <T extends { file: string }>(entry: T): T => ({ ...entry, file: path.join(folder.root, entry.file) });
  return {
    adapter,
    merged,
    ggufs: list.ggufs.map(({ type, file, sha256 }) => inRun({ type: type.toUpperCase(), file, sha256 })),
    adapterGguf: list.adapterGguf === null ? null : inRun({ file: list.adapterGguf.file, sha256: list.adapterGguf.sha256 }),
    modelfile: list.modelfile === null ? null : await readFile(path.join(folder.root, list.modelfile), 'utf8'),
    notices: list.notices,
  };
}

/** sha256 of the weights that a run made, as noted when they were: by these an evaluation is known to be of this model. */
export async function weightsOf(models: readonly StoredModel[], folder: Pick<RunFolder, 'root'>): Promise<Set<string>> {
  const list = await readExportList(folder);
  const noted = [...models.map((model) => model.ggufSha256), ...(list?.ggufs ?? []).map((gguf) => gguf.sha256)];
  return new Set(noted.filter((digest) => digest !== null));
}

/** The files that the trainer's last word on a folder names; without such a word, those that are there. */
async function filesOf(folder: string, kind: 'adapter' | 'merged', events: readonly TrainEvent[]): Promise<ArtifactFile[]> {
  const isThere = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isThere) return [];
  const event = events.findLast((candidate) => candidate.type === 'artifact' && candidate.kind === kind);
  const listed =
    event?.type === 'artifact'
      ? event.files.map((file) => ({ path: file.path, sha256: file.sha256 }))
      : (await readdir(folder)).map((name) => ({ path: name, sha256: null }));
  return listed
    .filter((file) => publishedFiles.test(file.path))
    .map((file) => ({ ...file, file: path.join(folder, file.path) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Throws for a list that cannot be read: it is written whole or not at all. */
async function readExportList(folder: Pick<RunFolder, 'root'>): Promise<RunExport | undefined> {
  const text = await readFile(exportFile(folder), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : RunExport.parse(JSON.parse(text));
}

/** The one file of a run that was exported before there was a list. */
async function unlistedGgufs(run: Run, folder: RunFolder): Promise<GgufArtifact[]> {
  const types = [...run.recipe.output.ggufTypes, ...GgufType.options.filter((type) => !run.recipe.output.ggufTypes.includes(type))];
  const found = await Promise.all(
    types.map(async (type) => {
      const file = folder.gguf(type);
      const entry = await stat(file).catch(() => undefined);
      return entry?.isFile() === true ? [{ type: type.toUpperCase(), file, sha256: null }] : [];
    }),
  );
  return found.flat();
}
