import { existsSync, statSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE } from '../../core/errors.ts';
import { type HubId, parseHubId } from '../../core/hub/hub-id.ts';
import { downloadSnapshot } from '../../core/hub/snapshot.ts';
import { packageRoot } from '../../core/package-root.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { isDataFile } from '../../core/rows/data-format.ts';
import { readCard } from './dataset-card.ts';
import { convertedFiles } from './split-files.ts';
import { parseSplit } from './split-slice.ts';
import { filesOfPath, filesOfSplit } from './wanted-files.ts';

/** Branch of a Hub data set that the Hub fills with Parquet of whatever the data set is made of. */
const convertedBranch = 'refs/convert/parquet';

/** The files that a split's rows stand in, on this machine. */
export interface LocatedDataset {
  /** Absolute paths, in the order of their rows. */
  readonly files: readonly string[];
  /** Commit of the Hub that they came from; null for files of this machine. */
  readonly revision: string | null;
  readonly licence: string | null;
  /** What one should know of how they were found. */
  readonly notes: readonly string[];
}

export interface LocateDeps {
  readonly config: Pick<Config, 'home' | 'hubEndpoint' | 'hubToken'>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the rows of a recipe: a file or folder (from here, else from the package), or a Hub data set
 * `owner/name[@revision][:path]`, whose path may be a pattern. What the card names comes first, then what names and folders
 * tell, then the Hub's own Parquet of it.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE, OSLER_ERR_DATA_EMPTY, OSLER_ERR_HUB_*
 */
export async function locateDataset(data: Recipe['data'], deps: LocateDeps): Promise<LocatedDataset> {
  const { split } = parseSplit(data.split);
  for (const file of [path.resolve(data.ref), path.join(packageRoot, data.ref)])
    if (existsSync(file)) return statSync(file).isDirectory() ? await inFolder(file, data, split) : oneFile(file, split);
  const hubId = parseHubId(data.ref);
  if (hubId === undefined || isDataFile(hubId.name)) throw new OSLER_ERR_FILE_NOT_FOUND(data.ref);
  return await onHub(hubId, data, split, deps);
}

const nothing: LocatedDataset = { files: [], revision: null, licence: null, notes: [] };

function oneFile(file: string, split: string): LocatedDataset {
  if (split === 'train') return { ...nothing, files: [file] };
  throw new OSLER_ERR_USAGE(`"${file}" is one file, whose rows are of the split "train": there is no "${split}". Write --split train.`);
}

/** A folder as one clones or downloads it from the Hub, with or without a card. */
async function inFolder(folder: string, data: Recipe['data'], split: string): Promise<LocatedDataset> {
  const paths: string[] = [];
  for await (const entry of glob('**/*', { cwd: folder, withFileTypes: true }))
    if (entry.isFile()) paths.push(path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'));
  const card = readCard(await readFile(path.join(folder, 'README.md'), 'utf8').catch(() => ''));
  const found = filesOfSplit(card, paths, data, split);
  if ('files' in found)
    return { ...nothing, files: found.files.map((file) => path.join(folder, file)), licence: card.licence, notes: found.notes };
  throw new OSLER_ERR_USAGE(`Folder "${data.ref}" ${found.lack}. Name the file: --data ${data.ref}/path/of/file`);
}

async function onHub(hubId: HubId, data: Recipe['data'], split: string, deps: LocateDeps): Promise<LocatedDataset> {
  const fetch = async (revision: string, select: (file: string) => boolean) =>
    await downloadSnapshot({
      endpoint: deps.config.hubEndpoint,
      token: deps.config.hubToken,
      type: 'dataset',
      repo: hubId.repo,
      revision,
      cacheDir: path.join(deps.config.home, 'cache/hub'),
      select,
      signal: deps.signal,
    });
  const fetched = async (revision: string, files: readonly string[]) => {
    const snapshot = await fetch(revision, (file) => files.includes(file));
    return { files: files.map((file) => path.join(snapshot.directory, file)), revision: snapshot.commit };
  };
  const asked = hubId.revision ?? data.revision;
  const paths = new Set<string>();
  const main = await fetch(asked ?? 'main', (file) => {
    paths.add(file);
    return file === 'README.md';
  });
  const card = readCard(await readFile(path.join(main.directory, 'README.md'), 'utf8').catch(() => ''));
  const found = filesOfPath(hubId, [...paths]) ?? filesOfSplit(card, [...paths], data, split);
  if ('files' in found) return { ...(await fetched(main.commit, found.files)), licence: card.licence, notes: found.notes };
  const converted = found.isNamed || asked !== null ? undefined : await convertedOnHub(fetch, data, split);
  if (converted === undefined || converted.files.length === 0)
    throw new OSLER_ERR_USAGE(`Data set "${data.ref}" ${found.lack}. Name the file: --data ${hubId.repo}:path/of/file.parquet`);
  const notes = [
    `the rows are the Hub's own Parquet of "${hubId.repo}" (${convertedBranch}, configuration ${converted.config})`,
    ...(converted.isPartial ? ['the Hub converted only the first part of this data set: rows beyond it are missing'] : []),
  ];
  return { ...(await fetched(converted.commit, converted.files)), licence: card.licence, notes };
}

async function convertedOnHub(
  fetch: (revision: string, select: (file: string) => boolean) => Promise<{ commit: string }>,
  data: Recipe['data'],
  split: string,
): Promise<({ commit: string } & ReturnType<typeof convertedFiles>) | undefined> {
  const paths = new Set<string>();
  try {
    const { commit } = await fetch(convertedBranch, (file) => {
      paths.add(file);
      return false;
    });
    return { commit, ...convertedFiles([...paths], data.config, split) };
  } catch (error) {
    // Not every data set has this branch. That the Hub cannot be reached was said before.
    if (isOslerError(error) && error.code === 'OSLER_ERR_HUB_FAILED') return undefined;
    throw error;
  }
}
