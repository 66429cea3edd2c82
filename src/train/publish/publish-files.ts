import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { sha256 } from '../../core/digest.ts';
import { OSLER_ERR_HUB_PUSH_REFUSED } from '../../core/errors.ts';
import type { PushFile } from '../../core/hub/push-files.ts';
import { publicText } from './public-text.ts';
import type { ArtifactFile, RunArtifacts } from './run-artifacts.ts';

/** What of a run can be pushed; the tokenizer goes with the adapter and with the merged model. */
export const publishedParts = ['adapter', 'merged', 'gguf'] as const;
export type PublishedPart = (typeof publishedParts)[number];

/** Files that hold the name of the folder that a model was loaded from. */
const settingsWithNames = /^(?:adapter_config|config|tokenizer_config)\.json$/;

/**
 * Where the files of a run go in its repository: the merged model and the GGUF files at its root, the adapter in `adapter/`
 * (docs/decisions/0015-publishing.md).
 *
 * @param name of the model, which the GGUF files are called after
 * @throws OSLER_ERR_HUB_PUSH_REFUSED for a settings file that is not as the trainer wrote it
 */
export async function publishFiles(
  artifacts: RunArtifacts,
  parts: ReadonlySet<PublishedPart>,
  about: {
    readonly repo: string;
    readonly name: string;
    readonly home: string;
    readonly base: { repo: string | null; revision: string | null };
  },
): Promise<PushFile[]> {
  const files: PushFile[] = [];
  if (parts.has('merged')) for (const file of artifacts.merged) files.push(await published(file, file.path, about));
  if (parts.has('adapter')) {
    for (const file of artifacts.adapter) files.push(await published(file, `adapter/${file.path}`, about));
    if (artifacts.adapterGguf !== null)
      // No number format in its name: llama.cpp would take it for the model of that format.
      files.push({ path: adapterGgufPath(about.name), content: artifacts.adapterGguf });
  }
  if (parts.has('gguf'))
    for (const { type, file, sha256: digest } of artifacts.ggufs)
      files.push({ path: ggufPath(about.name, type), content: { file, sha256: digest } });
  if (parts.has('gguf') && artifacts.modelfile !== null)
    files.push({ path: 'Modelfile', content: { text: publishedModelfile(artifacts, about.name) } });
  return files;
}

/** Name of a GGUF in the repository; the format at its end is what `hf.co/owner/name:Q8_0` looks for. */
export function ggufPath(name: string, type: string): string {
  return `${name}-${type}.gguf`;
}

/** Name of the adapter as GGUF. */
export function adapterGgufPath(name: string): string {
  return `adapter/${name}-lora.gguf`;
}

/** The parts that paths of a repository belong to. */
export function partsOf(paths: readonly string[]): Set<PublishedPart> {
  const parts = new Set<PublishedPart>();
  for (const path of paths) {
    if (path.startsWith('adapter/')) parts.add('adapter');
    else if (path.endsWith('.gguf')) parts.add('gguf');
    else if (path.endsWith('.safetensors')) parts.add('merged');
  }
  return parts;
}

/** The Modelfile of the run with the names that its files have in the repository. */
function publishedModelfile({ modelfile, ggufs, adapterGguf }: RunArtifacts, name: string): string {
  let text = modelfile ?? '';
  const baseName = (file: string): string => file.split(/[/\\]/).at(-1) ?? file;
  for (const { file, type } of ggufs) text = text.replaceAll(baseName(file), ggufPath(name, type));
  return adapterGguf === null ? text : text.replaceAll(baseName(adapterGguf.file), adapterGgufPath(name));
}

async function published(
  { file, sha256: expected, path: inside }: ArtifactFile,
  path: string,
  about: { readonly repo: string; readonly home: string; readonly base: { repo: string | null; revision: string | null } },
): Promise<PushFile> {
  if (!settingsWithNames.test(inside)) return { path, content: { file, sha256: expected } };
  const text = await readFile(file, 'utf8');
  if (expected !== null && sha256(text) !== expected)
    throw new OSLER_ERR_HUB_PUSH_REFUSED(
      about.repo,
      `"${file}" is not as it was written: its sha256 differs from that in the run. Make it again.`,
    );
  const settings = z.record(z.string(), z.unknown()).safeParse(JSON.parse(text));
  const changed = settings.success ? withPublicNames(settings.data, inside, about) : undefined;
  return changed === undefined
    ? { path, content: { file, sha256: expected } }
    : { path, content: { text: `${JSON.stringify(changed, null, 2)}\n` } };
}

/** Settings with the base's public name in place of a path of this machine; undefined where nothing has to change. */
function withPublicNames(
  settings: Readonly<Record<string, unknown>>,
  file: string,
  { home, base }: { readonly home: string; readonly base: { repo: string | null; revision: string | null } },
): Record<string, unknown> | undefined {
  const changed: Record<string, unknown> = { ...settings };
  if (file === 'adapter_config.json') {
    changed['base_model_name_or_path'] = base.repo;
    changed['revision'] = base.repo === null ? null : base.revision;
  }
  for (const key of ['_name_or_path', 'name_or_path']) {
    const value = settings[key];
    if (typeof value === 'string') changed[key] = base.repo ?? publicText(value, home);
  }
  return JSON.stringify(changed) === JSON.stringify(settings) ? undefined : changed;
}
