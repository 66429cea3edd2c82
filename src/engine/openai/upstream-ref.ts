import { OSLER_ERR_USAGE } from '../../core/errors.ts';

const prefix = 'openai:';
const form = 'openai:https://HOST/v1#MODEL';

/** Servers whose additions to OpenAI's API are known; `other` gets nothing but OpenAI's own words. */
export const upstreamKinds = ['osler', 'llama-server', 'vllm', 'other'] as const;
export type UpstreamKind = (typeof upstreamKinds)[number];

/** An upstream as the operator names it at the start; no request can name another. */
export interface UpstreamRef {
  /** With the `/v1` that clients append their routes to, without a final slash. */
  readonly baseUrl: string;
  /** Host with its port, as keys are filed. */
  readonly host: string;
  /** The upstream's name for the model; null: the only one that it lists. */
  readonly model: string | null;
  /** `auto`: rendered prompts where the template is known, else messages. */
  readonly mode: 'auto' | 'chat';
  /** The upstream sends no opening tag, since its template opens the thought; matters where messages are sent. */
  readonly isThoughtPreopened: boolean;
  /** null: the upstream's own list says. */
  readonly kind: UpstreamKind | null;
}

export function isUpstreamRef(ref: string): boolean {
  return ref.startsWith(prefix);
}

/** Reads `openai:URL#MODEL`, with the options `mode`, `thought` and `server` in the URL's query. Throws OSLER_ERR_USAGE. */
export function parseUpstreamRef(ref: string): UpstreamRef {
  const url = URL.parse(ref.slice(prefix.length));
  if (url === null || !/^https?:$/.test(url.protocol)) throw new OSLER_ERR_USAGE(`"${ref}" is no upstream. Name it as ${form}`);
  // The words are not shown: they hold a secret.
  if (url.username !== '' || url.password !== '')
    throw new OSLER_ERR_USAGE(`The address of an upstream holds a name or password. Leave it out, and set OSLER_UPSTREAM_KEYS.`);
  const path = url.pathname.replace(/\/+$/, '');
  const option = readOptions(ref, url.searchParams);
  return {
    baseUrl: `${url.origin}${path === '' ? '/v1' : path}`,
    host: url.host,
    model: url.hash === '' ? null : decodeURIComponent(url.hash.slice(1)),
    mode: option('mode', ['auto', 'chat']) ?? 'auto',
    isThoughtPreopened: option('thought', ['open']) === 'open',
    kind: option('server', upstreamKinds),
  };
}

/** Refuses what it does not know: a slip of the pen must not change how a model is asked. */
function readOptions(ref: string, query: URLSearchParams) {
  const known = ['mode', 'thought', 'server'];
  for (const name of query.keys())
    if (!known.includes(name)) throw new OSLER_ERR_USAGE(`"${ref}" has the unknown option "${name}". Known are: ${known.join(', ')}.`);
  return <const Value extends string>(name: string, values: readonly Value[]): Value | null => {
    const given = query.get(name);
    if (given === null) return null;
    const value = values.find((candidate) => candidate === given);
    if (value === undefined) throw new OSLER_ERR_USAGE(`"${ref}" has ${name}=${given}. Choose from: ${values.join(', ')}.`);
    return value;
  };
}
