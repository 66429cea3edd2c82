import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseHubId } from '../../core/hub/hub-id.ts';
import { downloadSnapshot } from '../../core/hub/snapshot.ts';
import { listKnownModels } from '../known-models.ts';
import type { ModelStore } from '../model-store.ts';
import { isKnownHere, requireTransformers, resolveModel, type ResolveModelDeps } from '../resolve-model.ts';
import { isSmallBaseFile } from './small-base-file.ts';

/** Whether another machine that trains fetches a base by itself: gigabytes of weights need not pass through this one. */
export function isFetchedThere(ref: string, models: ModelStore): boolean {
  return parseHubId(ref) !== undefined && !isKnownHere(ref, models);
}

/**
 * A folder with the base's config and tokenizer. Of a model on the Hub nothing else is fetched: gigabytes of weights would be
 * a dear answer to the question whether they fit.
 *
 * @returns the folder, and the bytes of weights that training would fetch first (0: they are here)
 * @throws OSLER_ERR_MODEL_UNKNOWN, OSLER_ERR_MODEL_UNSUITABLE, OSLER_ERR_HUB_*
 */
export async function baseForCheck(
  ref: string,
  revision: string | null,
  deps: ResolveModelDeps,
): Promise<{ folder: string; missingBytes: number }> {
  const isHere = existsSync(path.resolve(ref)) || deps.models.find(ref) !== undefined;
  const known = listKnownModels().find((model) => model.id === ref);
  const hubRef = known === undefined ? ref : known.source.kind === 'hub' ? known.source.repo : undefined;
  const hubId = isHere || hubRef === undefined ? undefined : parseHubId(hubRef);
  if (hubId === undefined || hubId.path !== null)
    return { folder: requireTransformers(await resolveModel(ref, revision, deps)), missingBytes: 0 };
  const weights = new Map<string, number>();
  const snapshot = await downloadSnapshot({
    endpoint: deps.config.hubEndpoint,
    token: deps.config.hubToken,
    type: 'model',
    repo: hubId.repo,
    revision: hubId.revision ?? revision ?? 'main',
    cacheDir: path.join(deps.config.home, 'cache/hub'),
    select: (file, bytes) => {
      if (file.endsWith('.safetensors')) weights.set(file, bytes);
      return isSmallBaseFile(file);
    },
    signal: deps.signal,
  });
  const missing = [...weights].filter(([file]) => !existsSync(path.join(snapshot.directory, file)));
  return { folder: snapshot.directory, missingBytes: missing.reduce((sum, [, bytes]) => sum + bytes, 0) };
}
