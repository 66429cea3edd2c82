import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { Config } from '../core/config.ts';
import { OSLER_ERR_DATA_EMPTY, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE } from '../core/errors.ts';
import { parseHubId } from '../core/hub/hub-id.ts';
import { downloadSnapshot } from '../core/hub/snapshot.ts';
import { packageRoot } from '../core/package-root.ts';
import type { Recipe } from '../core/schema/recipe.ts';

/** The card's front matter, as far as it names the files of a configuration. */
const CardConfigs = z.looseObject({
  configs: z
    .array(
      z.looseObject({
        config_name: z.string(),
        data_files: z.union([
          z.string(),
          z.array(z.union([z.string(), z.looseObject({ split: z.string().optional(), path: z.union([z.string(), z.array(z.string())]) })])),
        ]),
      }),
    )
    .optional(),
});

/** A file of rows on this machine, with the Hub commit that it came from. */
export interface DatasetFile {
  readonly file: string;
  readonly revision: string | null;
}

/**
 * Finds the rows of a recipe: a path (from here, else from the package), or a Hub data set whose card names the file.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE, OSLER_ERR_HUB_*
 */
export async function locateDataset(
  data: Recipe['data'],
  deps: { config: Config; signal?: AbortSignal | undefined },
): Promise<DatasetFile> {
  for (const file of [path.resolve(data.ref), path.join(packageRoot, data.ref)]) if (existsSync(file)) return { file, revision: null };
  const hubId = parseHubId(data.ref);
  if (hubId === undefined || /\.jsonl?$/.test(hubId.name)) throw new OSLER_ERR_FILE_NOT_FOUND(data.ref);
  const fetch = (revision: string, select: (file: string) => boolean) =>
    downloadSnapshot({
      endpoint: deps.config.hubEndpoint,
      token: deps.config.hubToken,
      type: 'dataset',
      repo: hubId.repo,
      revision,
      cacheDir: path.join(deps.config.home, 'cache/hub'),
      select,
      signal: deps.signal,
    });
  const card = await fetch(hubId.revision ?? data.revision ?? 'main', (file) => file === 'README.md');
  const named = hubId.path ?? (await fileOfConfig(path.join(card.directory, 'README.md'), data.config, data.ref));
  const snapshot = await fetch(card.commit, (file) => file === named);
  const first = snapshot.files[0];
  if (first === undefined) throw new OSLER_ERR_DATA_EMPTY(data.ref, ` in a file "${named}"`);
  return { file: path.join(snapshot.directory, first.path), revision: snapshot.commit };
}

async function fileOfConfig(cardFile: string, config: string | null, ref: string): Promise<string> {
  const text = await readFile(cardFile, 'utf8').catch(() => '');
  const front = /^---\n(.*?)\n---/s.exec(text)?.[1] ?? '';
  const document = parseDocument(front);
  const card = CardConfigs.safeParse(document.errors.length > 0 ? {} : (document.toJS() ?? {}));
  const configs = card.success ? (card.data.configs ?? []) : [];
  const chosen = config === null ? configs[0] : configs.find((candidate) => candidate.config_name === config);
  const entries = chosen === undefined ? [] : [chosen.data_files].flat();
  const isOfTraining = (entry: (typeof entries)[number]): boolean => typeof entry === 'string' || (entry.split ?? 'train') === 'train';
  const ofTraining = entries.filter(isOfTraining);
  const names = (ofTraining.length > 0 ? ofTraining : entries).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : [entry.path].flat(),
  );
  const file = names.find((name) => /\.jsonl?$/.test(name));
  if (file !== undefined) return file;
  const known = configs.map((candidate) => candidate.config_name).join(', ') || 'none';
  throw new OSLER_ERR_USAGE(
    `Data set "${ref}" names no JSON or JSON Lines file for configuration "${config ?? 'the first'}" (its configurations: ${known}). Name the file: --data ${ref}:path/of/file.json`,
  );
}
