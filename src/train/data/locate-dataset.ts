import { existsSync, statSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError, OSLER_ERR_DATA_EMPTY, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE } from '../../core/errors.ts';
import { type HubId, parseHubId } from '../../core/hub/hub-id.ts';
import { downloadSnapshot } from '../../core/hub/snapshot.ts';
import { packageRoot } from '../../core/package-root.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { isDataFile } from './data-format.ts';
import { chooseConfig, type DatasetCard, patternsOf, readCard } from './dataset-card.ts';
import { convertedFiles, filesBySplit, matchingFiles } from './split-files.ts';
import { parseSplit } from './split-slice.ts';

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
    if (existsSync(file)) return statSync(file).isDirectory() ? await inFolder(file, data, split) : { ...nothing, files: [file] };
  const hubId = parseHubId(data.ref);
  if (hubId === undefined || isDataFile(hubId.name)) throw new OSLER_ERR_FILE_NOT_FOUND(data.ref);
  return await onHub(hubId, data, split, deps);
}

const nothing: LocatedDataset = { files: [], revision: null, licence: null, notes: [] };

/** A folder as one clones or downloads it from the Hub, with or without a card. */
async function inFolder(folder: string, data: Recipe['data'], split: string): Promise<LocatedDataset> {
  const paths: string[] = [];
  for await (const entry of glob('**/*', { cwd: folder, withFileTypes: true }))
    if (entry.isFile()) paths.push(path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'));
  const card = readCard(await readFile(path.join(folder, 'README.md'), 'utf8').catch(() => ''));
  const found = filesOfSplit(card, paths, data, split);
  if ('files' in found) return { ...nothing, files: found.files.map((file) => path.join(folder, file)), licence: card.licence };
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
  if ('files' in found) return { ...(await fetched(main.commit, found.files)), licence: card.licence, notes: [] };
  const converted = found.isNamed || asked !== null ? undefined : await convertedOnHub(fetch, data, split);
  if (converted === undefined || converted.files.length === 0)
    throw new OSLER_ERR_USAGE(`Data set "${data.ref}" ${found.lack}. Name the file: --data ${hubId.repo}:path/of/file.parquet`);
  const notes = [
    `the rows are the Hub's own Parquet of "${hubId.repo}" (${convertedBranch})`,
    ...(converted.isPartial ? ['the Hub converted only the first part of this data set: rows beyond it are missing'] : []),
  ];
  return { ...(await fetched(converted.commit, converted.files)), licence: card.licence, notes };
}

type Found = { readonly files: readonly string[] } | { readonly lack: string; readonly isNamed: boolean };

function filesOfPath({ path: pattern, repo }: HubId, paths: readonly string[]): Found | undefined {
  if (pattern === null) return undefined;
  const files = matchingFiles(paths, [pattern]);
  if (files.length === 0) throw new OSLER_ERR_DATA_EMPTY(repo, ` in a file "${pattern}"`);
  return { files };
}

/** Files of the wanted configuration and split, or what is lacking. */
function filesOfSplit(card: DatasetCard, paths: readonly string[], { config: name, ref }: Recipe['data'], split: string): Found {
  const config = chooseConfig(card.configs, name);
  if (card.configs.length > 0 && config === undefined)
    return { lack: `has no configuration "${name}" (its configurations: ${card.configs.map(({ config_name: of }) => of).join(', ')})`, isNamed: true };
  const patterns = config === undefined ? new Map<string, string[]>() : patternsOf(config);
  if (patterns.size > 0) {
    const named = patterns.get(split);
    if (named === undefined) return { lack: `has no split "${split}" (its splits: ${[...patterns.keys()].join(', ')}; choose with --set data.split=NAME)`, isNamed: true };
    const files = matchingFiles(paths, named);
    if (files.length === 0) throw new OSLER_ERR_DATA_EMPTY(ref, ` in a file "${named.join('", "')}", which its card names`);
    return { files };
  }
  const folder = config?.data_dir ?? null;
  const splits = filesBySplit(folder === null ? paths : paths.filter((file) => file.startsWith(`${folder}/`)));
  const files = splits.get(split);
  // Without a card a configuration cannot be told from the files: only the Hub's own Parquet of it knows them.
  if (files !== undefined && (name === null || config !== undefined)) return { files };
  const has = splits.size === 0 ? 'no files of rows that are read' : `no files of configuration "${name ?? 'default'}", split "${split}"`;
  return { lack: `has ${has} (JSON, JSON Lines, CSV, Parquet)`, isNamed: false };
}

async function convertedOnHub(
  fetch: (revision: string, select: (file: string) => boolean) => Promise<{ commit: string }>,
  data: Recipe['data'],
  split: string,
): Promise<{ commit: string; files: string[]; isPartial: boolean } | undefined> {
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
