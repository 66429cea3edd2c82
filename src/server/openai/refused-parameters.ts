import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';

/** A field of a body, and what must be said where it asks for something. */
export interface RefusedParameter {
  readonly name: string;
  readonly why: string;
  /** Values that ask for nothing, besides null, false, an empty list and an empty object. */
  readonly harmless?: readonly unknown[];
  /** The only values that ask for something; left out: all but the harmless ones. */
  readonly harmful?: readonly unknown[];
}

/**
 * Refuses what is known and cannot be honoured, by name, rather than dropping it without a word. `prefix` leads to where `body` stands.
 *
 * @throws OSLER_ERR_REQUEST_UNSUPPORTED
 */
export function refuseParameters(body: Readonly<Record<string, unknown>>, parameters: readonly RefusedParameter[], prefix = ''): void {
  for (const parameter of parameters)
    if (isAskedFor(parameter, body[parameter.name])) throw new OSLER_ERR_REQUEST_UNSUPPORTED(prefix + parameter.name, parameter.why);
}

function isAskedFor({ harmless = [], harmful }: RefusedParameter, value: unknown): boolean {
  if (harmful !== undefined) return harmful.includes(value);
  if (value === undefined || value === null || value === false || harmless.includes(value)) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
