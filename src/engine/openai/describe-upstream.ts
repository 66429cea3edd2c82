import { z } from 'zod';
import { askWhereAble, askWhereOffered } from './ask-upstream.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { UpstreamFailure } from './upstream-failure.ts';
import type { UpstreamKind, UpstreamRef } from './upstream-ref.ts';
import { createTokenizer, type UpstreamTokenizer } from './upstream-tokenizer.ts';

/** Tokens of a closing tag with the white space around it, where the upstream cannot say. */
const usualCloseTokens = 3;
const maxNamedModels = 20;

/** What an upstream says of itself. */
export interface UpstreamDescription {
  readonly kind: UpstreamKind;
  /** Its name for the model. */
  readonly model: string;
  /** null: it does not say. */
  readonly contextTokens: number | null;
  /** Jinja; null: it does not say. */
  readonly templateSource: string | null;
  /** Texts of the tokens that templates ask for; empty: it does not say. */
  readonly bosToken: string;
  readonly eosToken: string;
  readonly tokenizer: UpstreamTokenizer | null;
  /** Text of the token that it puts before every prompt by itself; empty: none. */
  readonly addedBos: string;
  /** Tokens of the text that closes a thought. */
  readonly closeTokens: number;
  /** sha256 of its weights; null: it does not say. */
  readonly weightsDigest: string | null;
  /** null: it makes no embeddings. */
  readonly embeddingSize: number | null;
}

const ModelList = z.looseObject({
  data: z.array(
    z.looseObject({
      id: z.string(),
      owned_by: z.string().nullish(),
      /** vLLM's. */
      max_model_len: z.int().nullish(),
      osler: z.looseObject({ weights_sha256: z.string().nullish() }).nullish(),
    }),
  ),
});
type ListedModel = z.infer<typeof ModelList>['data'][number];

const Props = z.looseObject({
  default_generation_settings: z.looseObject({ n_ctx: z.int().nullish() }).nullish(),
  chat_template: z.string().nullish(),
  bos_token: z.string().nullish(),
  eos_token: z.string().nullish(),
  /** Ours. */
  embedding_size: z.int().nullish(),
});
type Props = z.infer<typeof Props>;

const Tokens = z.looseObject({ tokens: z.array(z.int()) });
const Text = z.looseObject({ prompt: z.string().optional(), content: z.string().optional() });
const Embedded = z.looseObject({ data: z.array(z.looseObject({ embedding: z.array(z.number()) })).min(1) });

const kindOfOwner: Readonly<Record<string, UpstreamKind>> = { osler: 'osler', llamacpp: 'llama-server', vllm: 'vllm' };

/**
 * Asks an upstream what it serves and how.
 *
 * @throws UpstreamFailure where it cannot be reached, or does not serve the model
 */
export async function describeUpstream(
  client: UpstreamClient,
  ref: Pick<UpstreamRef, 'model' | 'kind'>,
  options: { closeText: string; signal: AbortSignal },
): Promise<UpstreamDescription> {
  const { signal } = options;
  const listed = await listModels(client, signal, ref.model !== null);
  const entry = chooseModel(listed, ref.model);
  const kind = ref.kind ?? kindOfOwner[entry.owned_by ?? ''] ?? 'other';
  const isStrict = kind === 'vllm' || kind === 'osler';
  if (isStrict && !listed.includes(entry))
    throw new UpstreamFailure(`it has no model "${entry.id}"; it has: ${namesOf(listed)}`, { status: 200 });
  const props = kind === 'osler' || kind === 'llama-server' ? await readProps(client, entry.id, signal) : {};
  const added = await readAddedToken(client, kind, entry.id, signal);
  const bosToken = props.bos_token ?? added;
  const closeTokens = await countTokens(client, kind, { model: entry.id, text: options.closeText }, signal);
  return {
    kind,
    model: entry.id,
    contextTokens: props.default_generation_settings?.n_ctx ?? entry.max_model_len ?? null,
    templateSource: props.chat_template === '' ? null : (props.chat_template ?? null),
    bosToken,
    eosToken: props.eos_token ?? '',
    tokenizer: closeTokens === null ? null : createTokenizer(kind, client, entry.id),
    addedBos: kind === 'llama-server' && added !== '' ? bosToken : '',
    closeTokens: closeTokens ?? usualCloseTokens,
    weightsDigest: entry.osler?.weights_sha256 ?? null,
    embeddingSize: props.embedding_size === undefined ? await readEmbeddingSize(client, entry.id, signal) : props.embedding_size,
  };
}

/** Some hosted services list nothing; then a named model must do. */
async function listModels(client: UpstreamClient, signal: AbortSignal, hasName: boolean): Promise<ListedModel[]> {
  try {
    return ModelList.safeParse(await client.askOnce({ path: '/models' }, { signal })).data?.data ?? [];
  } catch (error) {
    if (hasName && error instanceof UpstreamFailure && error.status === 404) return [];
    throw error;
  }
}

function chooseModel(listed: readonly ListedModel[], wanted: string | null): ListedModel {
  const [only] = listed;
  if (wanted === null) {
    if (only !== undefined && listed.length === 1) return only;
    throw new UpstreamFailure(`it serves ${listed.length} models; name one after "#": ${namesOf(listed)}`, { status: 200 });
  }
  // A server of a single model answers to any name, so its own entry tells what it is.
  return listed.find((entry) => entry.id === wanted) ?? { ...(listed.length === 1 ? only : {}), id: wanted };
}

function namesOf(listed: readonly ListedModel[]): string {
  const names = listed.slice(0, maxNamedModels).map((entry) => entry.id);
  return names.length === 0 ? 'none' : names.join(', ') + (listed.length > maxNamedModels ? ', …' : '');
}

/** A template that is there and was not told would be another way of asking the model, so only a clear "none" counts as none. */
async function readProps(client: UpstreamClient, model: string, signal: AbortSignal): Promise<Props> {
  const question = { path: `/props?model=${encodeURIComponent(model)}`, at: 'root' } as const;
  return Props.safeParse(await askWhereOffered(client, question, signal)).data ?? {};
}

/** Tokens of a text; null: it has no tokenizer to ask. */
async function countTokens(
  client: UpstreamClient,
  kind: UpstreamKind,
  { model, text }: { model: string; text: string },
  signal: AbortSignal,
): Promise<number | null> {
  const tokenizer = createTokenizer(kind, { ask: (question) => askWhereAble(client, question, signal) }, model);
  // An answer of another form is none, too.
  return (await tokenizer?.tokenize(text).catch(nullOnMismatch))?.length ?? null;
}

/** The token that the server's tokenizer puts first, found by asking with and without; empty: none, or it cannot be asked. */
async function readAddedToken(client: UpstreamClient, kind: UpstreamKind, model: string, signal: AbortSignal): Promise<string> {
  if (kind !== 'vllm' && kind !== 'llama-server') return '';
  const isVllm = kind === 'vllm';
  const tokenize = async (isAdding: boolean): Promise<number[]> => {
    const body = isVllm ? { model, prompt: 'a', add_special_tokens: isAdding } : { model, content: 'a', add_special: isAdding };
    const answer = await askWhereAble(client, { path: '/tokenize', at: 'root', body }, signal);
    return Tokens.safeParse(answer).data?.tokens ?? [];
  };
  const [more, fewer] = await Promise.all([tokenize(true), tokenize(false)]);
  // Without an answer to both there is nothing to compare.
  if (fewer.length === 0 || more.length <= fewer.length) return '';
  const body = { model, tokens: more.slice(0, 1) };
  const text = Text.safeParse(await askWhereAble(client, { path: '/detokenize', at: 'root', body }, signal)).data;
  return text?.prompt ?? text?.content ?? '';
}

async function readEmbeddingSize(client: UpstreamClient, model: string, signal: AbortSignal): Promise<number | null> {
  const body = { model, input: 'a', encoding_format: 'float' };
  const answer = await askWhereAble(client, { path: '/embeddings', body }, signal);
  return Embedded.safeParse(answer).data?.data[0]?.embedding.length ?? null;
}

function nullOnMismatch(error: unknown): null {
  if (error instanceof z.ZodError) return null;
  throw error;
}
