import { OSLER_ERR_DATA_EMPTY } from '../../core/errors.ts';
import { matchingFiles } from '../../core/rows/matching-files.ts';
import type { HubId } from '../../core/hub/hub-id.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { chooseConfig, type DatasetCard, folderOf, patternsOf } from './dataset-card.ts';
import { filesBySplit } from './split-files.ts';

/** Paths of files, or in words what is lacking; `isNamed`: the card says so, and no other place need be looked at. */
export type Found =
  | { readonly files: readonly string[]; readonly notes: readonly string[] }
  | { readonly lack: string; readonly isNamed: boolean };

/** Files that a reference names by path or pattern; undefined where it names none. Throws OSLER_ERR_DATA_EMPTY. */
export function filesOfPath({ path: pattern, repo }: HubId, paths: readonly string[]): Found | undefined {
  if (pattern === null) return undefined;
  const files = matchingFiles(paths, [pattern]);
  if (files.length === 0) throw new OSLER_ERR_DATA_EMPTY(repo, ` in a file "${pattern}"`);
  return { files, notes: [] };
}

/**
 * Files of the configuration and split that a recipe asks for, out of the paths of a data set: as its card says, else by their names.
 *
 * @throws OSLER_ERR_DATA_EMPTY for files that the card names and that are not there
 */
export function filesOfSplit(card: DatasetCard, paths: readonly string[], { config: name, ref }: Recipe['data'], split: string): Found {
  const config = chooseConfig(card.configs, name);
  const configs = card.configs.map(({ config_name: known }) => known).join(', ');
  if (card.configs.length > 0 && config === undefined)
    return { lack: `has no configuration "${name}" (its configurations: ${configs}; choose with --set data.config=NAME)`, isNamed: true };
  const isChoice = name === null && card.configs.length > 1;
  const notes = isChoice ? [`configuration "${config?.config_name}" was taken, of ${configs}; choose with --set data.config=NAME`] : [];
  const patterns = config === undefined ? new Map<string, string[]>() : patternsOf(config);
  if (patterns.size > 0) return filesOfPatterns(patterns, paths, { split, ref, notes });
  const folder = config === undefined ? '' : folderOf(config);
  const splits = filesBySplit(paths.filter((file) => file.startsWith(folder)));
  const files = splits.get(split);
  // Without a card a configuration cannot be told from the files: only the Hub's own Parquet of it knows them.
  if (files !== undefined && (name === null || config !== undefined)) return { files, notes };
  const has = splits.size === 0 ? 'no files of rows that are read' : `no files of configuration "${name ?? 'default'}", split "${split}"`;
  return { lack: `has ${has} (JSON, JSON Lines, CSV, Parquet)`, isNamed: false };
}

function filesOfPatterns(
  patterns: ReadonlyMap<string, string[]>,
  paths: readonly string[],
  { split, ref, notes }: { split: string; ref: string; notes: readonly string[] },
): Found {
  const named = patterns.get(split);
  const splits = [...patterns.keys()].join(', ');
  if (named === undefined) return { lack: `has no split "${split}" (its splits: ${splits}; choose with --set data.split=NAME)`, isNamed: true };
  const files = matchingFiles(paths, named);
  if (files.length === 0) throw new OSLER_ERR_DATA_EMPTY(ref, ` in a file "${named.join('", "')}", which its card names`);
  return { files, notes };
}
