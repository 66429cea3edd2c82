import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError } from '../../core/errors.ts';
import { parseHubId } from '../../core/hub/hub-id.ts';
import { downloadSnapshot } from '../../core/hub/snapshot.ts';
import { licenceOfCard } from './base-licences.ts';
import { readFrontMatter } from './front-matter.ts';
import { publicText } from './public-text.ts';

/** The training data of a run: what it is called, under which licence it is and where it comes from. */
export interface DataOrigin {
  readonly name: string;
  /** `owner/name` on the Hub. */
  readonly repo: string | null;
  readonly revision: string | null;
  readonly licence: string;
  /** What readers of a card should know of it, in whole sentences, as Markdown. */
  readonly facts: readonly string[];
  readonly language: string | null;
}

const known: Readonly<Record<string, Pick<DataOrigin, 'licence' | 'facts'>>> = {
  'freedomintelligence/medical-o1-reasoning-sft': {
    licence: 'Apache-2.0',
    facts: [
      'Its questions derive from the training splits of two examination sets, MedQA (USMLE) and MedMCQA; thoughts and answers were written by a language model, GPT-4o by its card (paper: HuatuoGPT-o1, arXiv 2412.18925).',
      'So the model has seen the kind of question that these benchmarks ask, and may have seen some that their test splits resemble.',
    ],
  },
  'data/train/osler-medical-cot.jsonl': {
    licence: 'Apache-2.0',
    facts: [
      "Osler's own rows, written from textbook knowledge by a language model; no clinician has reviewed them. They are there to show that the pipeline works, not to make a model that people should ask.",
    ],
  },
};

const languages: Readonly<Record<string, string>> = { en: 'en', zh: 'zh' };

/** Finds out about a data set by its name and, where it is not known, by its card at the pinned revision. */
export async function findDataOrigin(
  data: { readonly ref: string; readonly revision: string | null },
  config: string | null,
  deps: { readonly config: Config; readonly isOffline: boolean; readonly signal?: AbortSignal | undefined },
): Promise<DataOrigin> {
  const hubId = data.revision === null ? undefined : parseHubId(data.ref);
  const entry = known[(hubId?.repo ?? data.ref).toLowerCase()];
  const name = entry === undefined && hubId === undefined ? path.basename(data.ref) : publicText(hubId?.repo ?? data.ref, deps.config.home);
  const language = (config === null ? undefined : languages[config]) ?? (data.ref.startsWith('data/train/') ? 'en' : null);
  const about = { name, repo: hubId?.repo ?? null, revision: data.revision, language };
  if (entry !== undefined) return { ...about, ...entry };
  if (hubId === undefined)
    return { ...about, licence: 'unknown', facts: ['A file of whoever trained the model; its licence was not stated.'] };
  const licence = deps.isOffline ? undefined : await licenceOfDataset(hubId.repo, data.revision ?? 'main', deps);
  return {
    ...about,
    licence: licence ?? 'unknown',
    facts: licence === undefined ? ['Its card states no licence that could be read.'] : [],
  };
}

async function licenceOfDataset(
  repo: string,
  revision: string,
  { config, signal }: { config: Config; signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  try {
    const snapshot = await downloadSnapshot({
      endpoint: config.hubEndpoint,
      token: config.hubToken,
      type: 'dataset',
      repo,
      revision,
      cacheDir: path.join(config.home, 'cache/hub'),
      select: (file) => file === 'README.md',
      signal,
    });
    return licenceOfCard(await readFrontMatter(path.join(snapshot.directory, 'README.md')), repo)?.id;
  } catch (error) {
    if (isOslerError(error) && (error.code === 'OSLER_ERR_HUB_FAILED' || error.code === 'OSLER_ERR_HUB_CHECKSUM')) return undefined;
    throw error;
  }
}
