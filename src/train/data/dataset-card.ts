import { parseDocument } from 'yaml';
import { z } from 'zod';

const OneOrMore = z.union([z.string(), z.array(z.string())]);

/** A configuration (a subset) of a data set, as its card's front matter names it. */
export const CardConfig = z.looseObject({
  config_name: z.string(),
  default: z.boolean().optional(),
  data_dir: z.string().optional(),
  data_files: z
    .union([z.string(), z.record(z.string(), OneOrMore), z.array(z.union([z.string(), z.looseObject({ split: z.string().optional(), path: OneOrMore })]))])
    .optional(),
});
export type CardConfig = z.infer<typeof CardConfig>;

/** What a data set's README.md says of it. */
export interface DatasetCard {
  readonly configs: readonly CardConfig[];
  /** As the card names it, such as `apache-2.0`; several are joined by commas. */
  readonly licence: string | null;
}

/** Reads the front matter of a card; what cannot be read counts as not said. */
export function readCard(text: string): DatasetCard {
  const front = /^\uFEFF?---\r?\n(.*?)\r?\n---/s.exec(text)?.[1] ?? '';
  const document = parseDocument(front);
  const value: unknown = document.errors.length > 0 ? {} : document.toJS();
  const fields = z.looseObject({}).safeParse(value).data ?? {};
  const configs = z.array(CardConfig).safeParse(fields['configs']).data ?? [];
  const licence = OneOrMore.safeParse(fields['license']).data;
  const name = z.string().safeParse(fields['license_name']).data;
  const licences = [licence ?? []].flat().map((entry) => (entry === 'other' && name !== undefined ? name : entry));
  return { configs, licence: licences.length === 0 ? null : licences.join(', ') };
}

/** The configuration that is asked for; unasked the one marked as default or called so, else the first. */
export function chooseConfig(configs: readonly CardConfig[], name: string | null): CardConfig | undefined {
  if (name !== null) return configs.find((config) => config.config_name === name);
  return configs.find((config) => config.default === true) ?? configs.find((config) => config.config_name === 'default') ?? configs[0];
}

/** Patterns of the files of each split that a configuration names; without a split's name they are of `train`. */
export function patternsOf(config: CardConfig): Map<string, string[]> {
  const patterns = new Map<string, string[]>();
  const folder = folderOf(config);
  for (const [split, paths] of entriesOf(config)) {
    const added = [paths].flat().map((pattern) => `${folder}${pattern.replace(/^\.?\/+/, '')}`);
    patterns.set(split, [...(patterns.get(split) ?? []), ...added]);
  }
  return patterns;
}

/** Folder that a configuration's files are in, with a slash at its end; empty: the data set's own. */
export function folderOf(config: CardConfig): string {
  const folder = (config.data_dir ?? '').replaceAll(/^\.?\/+|\/+$/g, '');
  return folder === '' || folder === '.' ? '' : `${folder}/`;
}

function entriesOf({ data_files: files = [] }: CardConfig): [string, string | string[]][] {
  if (typeof files === 'string') return [['train', files]];
  if (!Array.isArray(files)) return Object.entries(files);
  return files.map((entry) => (typeof entry === 'string' ? ['train', entry] : [entry.split ?? 'train', entry.path]));
}
