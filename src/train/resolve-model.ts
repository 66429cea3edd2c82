import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../core/config.ts';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_MODEL_NOT_PROMOTED, OSLER_ERR_MODEL_UNKNOWN, OSLER_ERR_MODEL_UNSUITABLE } from '../core/errors.ts';
import { type HubId, parseHubId } from '../core/hub/hub-id.ts';
import { downloadSnapshot } from '../core/hub/snapshot.ts';
import { convertToGguf } from './convert-to-gguf.ts';
import { ensureEmbeddedTransformers } from './embedded-model.ts';
import { type KnownModel, listKnownModels } from './known-models.ts';
import type { ModelStore, StoredModel } from './model-store.ts';
import { ensurePython, type ReportStep } from './python-environment.ts';

/** A model as found: where its files are, and what it is exactly. */
export interface ResolvedModel {
  readonly ref: string;
  /** Folder for transformers, where there is one. */
  readonly transformersDir: string | null;
  readonly ggufFile: string | null;
  /** Chat template that belongs to it, where it is kept apart from the weights. */
  readonly templateFile: string | null;
  /** Commit of a Hub repository. */
  readonly revision: string | null;
}

export interface ResolveModelDeps {
  readonly config: Config;
  readonly models: ModelStore;
  readonly onStep?: ReportStep | undefined;
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** REF of the model that was promoted last. */
export const promotedName = 'tuned';

/** What is read of a model's folder: weights, configuration, tokenizer, template. */
export const modelFile = /(?:\.safetensors|\.json|\.jinja|(?:^|\/)(?:tokenizer\.model|merges\.txt|vocab\.txt))$/;

/**
 * Finds a model by path, registry id, as `tuned` (the promoted one) or by Hub id, in this order, and fetches it where need be.
 *
 * @throws OSLER_ERR_MODEL_UNKNOWN, OSLER_ERR_MODEL_NOT_PROMOTED, OSLER_ERR_MODEL_UNSUITABLE, OSLER_ERR_HUB_*
 */
export async function resolveModel(ref: string, revision: string | null, deps: ResolveModelDeps): Promise<ResolvedModel> {
  const found = await resolvePath(ref);
  if (found !== undefined) return found;
  const stored = deps.models.find(ref) ?? findPromoted(ref, deps.models);
  if (stored !== undefined)
    return { ref, transformersDir: stored.transformersDir, ggufFile: stored.ggufFile, templateFile: stored.templateFile, revision: null };
  const known = listKnownModels();
  const model = known.find((candidate) => candidate.id === ref);
  if (model !== undefined) return await resolveKnown(model, revision, deps);
  const hubId = parseHubId(ref);
  if (hubId === undefined) throw unknownModel(ref, deps.models);
  return await fetchFromHub(ref, { ...hubId, revision: hubId.revision ?? revision }, deps);
}

/** The promoted model, where it is asked for by its name. Throws OSLER_ERR_MODEL_NOT_PROMOTED. */
function findPromoted(ref: string, models: ModelStore): StoredModel | undefined {
  if (ref !== promotedName) return undefined;
  const promoted = models.findPromoted();
  if (promoted === undefined) throw new OSLER_ERR_MODEL_NOT_PROMOTED(ref);
  return promoted;
}

/** Whether a REF can name a model at all, without fetching anything. Throws OSLER_ERR_MODEL_UNKNOWN. */
export function checkModelRef(ref: string, models: ModelStore): void {
  if (!isKnownHere(ref, models) && parseHubId(ref) === undefined) throw unknownModel(ref, models);
}

/** Whether a REF is a path, or a name that this home knows: whatever else it is, it is looked up on the Hub. */
export function isKnownHere(ref: string, models: ModelStore): boolean {
  return (
    existsSync(path.resolve(ref)) ||
    models.find(ref) !== undefined ||
    findPromoted(ref, models) !== undefined ||
    listKnownModels().some((model) => model.id === ref)
  );
}

/** The model as GGUF, converted to q8_0 once and kept where it comes as safetensors. */
export async function ensureGguf(model: ResolvedModel, type: 'f32' | 'f16' | 'bf16' | 'q8_0', deps: ResolveModelDeps): Promise<string> {
  if (model.ggufFile !== null) return model.ggufFile;
  const source = requireTransformers(model);
  const name = `${path.basename(source)}-${sha256(source).slice(0, 12)}-${type}.gguf`;
  const target = path.join(deps.config.home, 'cache/gguf', name);
  const [made, config] = [await stat(target).catch(() => undefined), await stat(path.join(source, 'config.json')).catch(() => undefined)];
  if (made !== undefined && config !== undefined && made.mtimeMs >= config.mtimeMs) return target;
  const python = await ensurePython({
    python: deps.config.python,
    venv: deps.config.venv,
    onStep: deps.onStep,
    signal: deps.signal,
  });
  deps.onStep?.(`convert ${model.ref} to GGUF ${type}`);
  await convertToGguf({ python, cacheDir: path.join(deps.config.home, 'cache'), source, target, type, signal: deps.signal });
  return target;
}

/** The folder to train from. Throws OSLER_ERR_MODEL_UNSUITABLE for a model that is GGUF only. */
export function requireTransformers(model: ResolvedModel): string {
  if (model.transformersDir !== null) return model.transformersDir;
  throw new OSLER_ERR_MODEL_UNSUITABLE(
    model.ref,
    'it is a GGUF file, and training starts from a folder with config.json and safetensors. Give that folder, or a Hub id.',
  );
}

function unknownModel(ref: string, models: ModelStore): Error {
  const ids = [...listKnownModels(), ...models.list()].map((model) => model.id);
  return new OSLER_ERR_MODEL_UNKNOWN(ref, ids.join(', '));
}

async function resolvePath(ref: string): Promise<ResolvedModel | undefined> {
  const file = path.resolve(ref);
  const entry = await stat(file).catch(() => undefined);
  if (entry === undefined) return undefined;
  const nothing = { ref, transformersDir: null, ggufFile: null, templateFile: null, revision: null };
  if (entry.isFile()) return { ...nothing, ggufFile: file };
  const hasConfig = await stat(path.join(file, 'config.json')).catch(() => undefined);
  if (hasConfig === undefined)
    throw new OSLER_ERR_MODEL_UNSUITABLE(ref, 'the folder has no config.json. Give a GGUF file or a folder as transformers saves it.');
  return { ...nothing, transformersDir: file };
}

async function resolveKnown(model: KnownModel, revision: string | null, deps: ResolveModelDeps): Promise<ResolvedModel> {
  const { source } = model;
  if (source.kind === 'hub') {
    const hubId = parseHubId(source.repo);
    if (hubId === undefined) throw new OSLER_ERR_MODEL_UNKNOWN(source.repo, '');
    return await fetchFromHub(model.id, { ...hubId, revision: hubId.revision ?? revision }, deps);
  }
  const python = await ensurePython({
    python: deps.config.python,
    venv: deps.config.venv,
    onStep: deps.onStep,
    signal: deps.signal,
  });
  const transformersDir = await ensureEmbeddedTransformers({
    id: model.id,
    source,
    python,
    home: deps.config.home,
    onStep: deps.onStep,
    signal: deps.signal,
  });
  return { ref: model.id, transformersDir, ggufFile: null, templateFile: null, revision: null };
}

async function fetchFromHub(ref: string, hubId: HubId, deps: ResolveModelDeps): Promise<ResolvedModel> {
  deps.onStep?.(`fetch ${hubId.repo} from the Hub`);
  const wanted = hubId.path;
  const snapshot = await downloadSnapshot({
    endpoint: deps.config.hubEndpoint,
    token: deps.config.hubToken,
    type: 'model',
    repo: hubId.repo,
    revision: hubId.revision ?? 'main',
    cacheDir: path.join(deps.config.home, 'cache/hub'),
    select: (file) => (wanted === null ? modelFile.test(file) || isOnlyChoice(file) : file === wanted),
    onProgress: (progress) => deps.onBytes?.(progress.doneBytes, progress.totalBytes),
    signal: deps.signal,
  });
  const gguf = snapshot.files.filter((file) => file.path.endsWith('.gguf'));
  const hasWeights = snapshot.files.some((file) => file.path.endsWith('.safetensors'));
  const first = gguf[0];
  if (first === undefined && !hasWeights)
    throw new OSLER_ERR_MODEL_UNSUITABLE(
      ref,
      `the repository has no safetensors${wanted === null ? '. For a GGUF file inside it, write owner/name:path/of/file.gguf' : ''}`,
    );
  return {
    ref,
    transformersDir: hasWeights ? snapshot.directory : null,
    ggufFile: first === undefined ? null : path.join(snapshot.directory, first.path),
    templateFile: null,
    revision: snapshot.commit,
  };
}

/** A repository that ships GGUF is asked for one quantisation only: q8_0, as our own export makes it. */
function isOnlyChoice(file: string): boolean {
  return /q8_0\.gguf$/i.test(file);
}
