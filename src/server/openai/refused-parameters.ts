import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';

/** A field of a body, and what must be said where it asks for something. */
export interface RefusedParameter {
  readonly name: string;
  readonly why: string;
  /** Values that ask for nothing, besides null, false, an empty list and an empty object. */
  readonly harmless?: readonly unknown[];
}

/**
 * Refuses what is known and cannot be honoured, by name, rather than dropping it without a word. `prefix` leads to where `body` stands.
 *
 * @throws OSLER_ERR_REQUEST_UNSUPPORTED
 */
export function refuseParameters(body: Readonly<Record<string, unknown>>, parameters: readonly RefusedParameter[], prefix = ''): void {
  for (const { name, why, harmless = [] } of parameters)
    if (asksForSomething(body[name]) && !harmless.includes(body[name])) throw new OSLER_ERR_REQUEST_UNSUPPORTED(prefix + name, why);
}

function asksForSomething(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
