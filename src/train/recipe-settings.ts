import { splitSettings } from './data/split-slice.ts';

/** What people name beside a preset by words of their own. */
export interface NamedSettings {
  readonly data?: string | undefined;
  /** Split and rows of it, such as `train[0:500]`. */
  readonly split?: string | undefined;
  readonly base?: string | undefined;
  readonly template?: string | undefined;
}

/** The fields of a recipe that those words set. Throws OSLER_ERR_USAGE for a slice that cannot be read. */
export function recipeSettings({ data, split, base, template }: NamedSettings): Record<string, unknown> {
  const slice = split === undefined ? {} : splitSettings(split);
  return {
    ...(data !== undefined && { 'data.ref': data }),
    ...Object.fromEntries(Object.entries(slice).map(([name, value]) => [`data.${name}`, value])),
    ...(base !== undefined && { 'base.ref': base }),
    ...(template !== undefined && { template }),
  };
}
