import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError } from '../../core/errors.ts';
import { parseHubId } from '../../core/hub/hub-id.ts';
import { downloadSnapshot, type Snapshot } from '../../core/hub/snapshot.ts';
import { listKnownModels } from '../known-models.ts';
import { type Licence, licenceOfCard, licenceOfFamily, unknownLicence } from './base-licences.ts';
import { readFrontMatter } from './front-matter.ts';
import { publicText } from './public-text.ts';

const licenceFiles = /^(?:licen[cs]e|notice|use_policy|copying)(?:[-_.][\w.-]*)?$/i;
const largestLicenceBytes = 1 << 20;

/** The base model of a run: what it is called, where it is, and under which licence. */
export interface ModelOrigin {
  /** As others know it; of a path only the last name. */
  readonly name: string;
  /** `owner/name` on the Hub, where it has one. */
  readonly repo: string | null;
  readonly revision: string | null;
  readonly licence: Licence;
  /** The base's own licence files, which travel with the model. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
}

/** Registry ids whose model was published on the Hub under another name. */
const upstreams: Readonly<Record<string, string>> = { 'smollm2-135m-instruct': 'HuggingFaceTB/SmolLM2-135M-Instruct' };

/**
 * Finds out about a base model. Its card and licence files are read from the Hub where it came from there; a Hub that does not give
 * them is no failure here.
 *
 * @param base as source.json notes it
 */
export async function findModelOrigin(
  base: { readonly ref: string; readonly revision: string | null },
  deps: { readonly config: Config; readonly isOffline: boolean; readonly signal?: AbortSignal | undefined },
): Promise<ModelOrigin> {
  const known = listKnownModels().find((model) => model.id === base.ref);
  const source = known?.source.kind === 'hub' ? known.source.repo : known === undefined && base.revision !== null ? base.ref : null;
  const hubId = source === null ? undefined : parseHubId(source);
  const name = publicText(hubId?.repo ?? base.ref, deps.config.home);
  const published = upstreams[base.ref];
  if (hubId === undefined) {
    const licence = licenceOfFamily(name) ?? unknownLicence;
    return { name, repo: published ?? null, revision: null, licence, files: [] };
  }
  const revision = base.revision ?? hubId.revision;
  const snapshot = deps.isOffline ? undefined : await fetchPapers(hubId.repo, revision ?? 'main', deps);
  const papers = snapshot?.files.filter((file) => licenceFiles.test(file.path)) ?? [];
  const front = snapshot === undefined ? {} : await readFrontMatter(path.join(snapshot.directory, 'README.md'));
  const ofCard = licenceOfCard(front, hubId.repo);
  return {
    name,
    repo: hubId.repo,
    revision,
    licence: withCard(licenceOfFamily(hubId.repo), ofCard) ?? unknownLicence,
    files: papers.map((file) => ({ path: file.path, file: path.join(snapshot?.directory ?? '', file.path) })),
  };
}

/** Where the family is known, its terms count, and what the card says otherwise is told beside them. */
function withCard(family: Licence | undefined, card: Licence | undefined): Licence | undefined {
  if (family === undefined || card === undefined || card.id === family.id) return family ?? card;
  return { ...family, terms: [...family.terms, `${card.basis.replace('the card', 'The card')} names the licence "${card.id}".`] };
}

async function fetchPapers(
  repo: string,
  revision: string,
  { config, signal }: { config: Config; signal?: AbortSignal | undefined },
): Promise<Snapshot | undefined> {
  try {
    return await downloadSnapshot({
      endpoint: config.hubEndpoint,
      token: config.hubToken,
      type: 'model',
      repo,
      revision,
      cacheDir: path.join(config.home, 'cache/hub'),
      select: (file, bytes) => bytes <= largestLicenceBytes && (file === 'README.md' || licenceFiles.test(file)),
      signal,
    });
  } catch (error) {
    if (isOslerError(error) && (error.code === 'OSLER_ERR_HUB_FAILED' || error.code === 'OSLER_ERR_HUB_CHECKSUM')) return undefined;
    throw error;
  }
}
