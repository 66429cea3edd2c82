import path from 'node:path';
import { parseHubId } from '../../core/hub/hub-id.ts';
import type { Run } from '../../core/schema/run.ts';
import { listKnownModels } from '../known-models.ts';
import { licenceOfFamily } from '../publish/base-licences.ts';
import type { RunSource } from '../run-source.ts';

/** A base's licence, by the registry or its family's name, for metadata and notices; null where only its own page tells. */
export function licenceOf(baseRef: string): string | null {
  const known = listKnownModels().find((model) => model.id === baseRef || (model.source.kind === 'hub' && model.source.repo === baseRef));
  return known?.licence ?? licenceOfFamily(baseRef)?.name ?? null;
}

/** What the GGUF files say of themselves beside the weights, as the converter's metadata file takes it. No path of this machine. */
export function ggufMetadata(run: Run, source: RunSource | undefined, hubEndpoint: string): Record<string, unknown> {
  const { recipe } = run;
  const licence = licenceOf(recipe.base.ref);
  const base = origin(recipe.base.ref, source?.base.revision ?? recipe.base.revision, hubEndpoint);
  const data = origin(recipe.data.ref, source?.data.revision ?? recipe.data.revision, `${hubEndpoint}/datasets`);
  return {
    'general.name': recipe.output.name,
    'general.description': `LoRA of ${base.name}, merged. For research only; not a medical device.`,
    'general.base_models': [base],
    'general.datasets': [data],
    ...(licence !== null && { 'general.license.name': licence }),
  };
}

/** A repository with its commit, or the bare name of something local, which has none. */
function origin(ref: string, revision: string | null, endpoint: string): Record<string, string> {
  const known = listKnownModels().find((model) => model.id === ref);
  const hubId = revision === null ? undefined : parseHubId(known?.source.kind === 'hub' ? known.source.repo : ref);
  if (hubId === undefined) return { name: known?.id ?? path.basename(ref) };
  return { name: hubId.name, organization: hubId.owner, version: revision ?? '', repo_url: `${endpoint}/${hubId.repo}` };
}
