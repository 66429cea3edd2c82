import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { OSLER_ERR_REQUEST_INVALID, OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { packageVersion } from '../../core/package-version.ts';
import { defaultSampling } from '../../engine/engine.ts';
import type { AppDeps } from '../app.ts';
import { promptFields } from '../openai/chat-request.ts';
import { renderChat } from '../openai/read-chat-request.ts';
import { type RefusedParameter, refuseParameters } from '../openai/refused-parameters.ts';
import { describeRoute, json, researchNotice } from '../openapi.ts';
import { infoOfReady } from '../ready-engine.ts';
import type { ServedModel, ServedModels } from '../served-model.ts';

/** Each piece is asked for by itself. */
const maxPieces = 4096;
const maxTokens = 1 << 20;

const modelField = z.string().min(1).optional().describe('may be left out where one model is served');
const maxToken = 0x7fff_ffff;
const Token = z.int().min(0).max(maxToken);
/** The first that is none is told of, and no more: there may be a million. */
const Tokens = z
  .array(z.unknown())
  .max(maxTokens)
  .meta({ items: { type: 'integer', minimum: 0, maximum: maxToken } })
  .superRefine((tokens, context) => {
    const index = tokens.findIndex((token) => !Token.safeParse(token).success);
    if (index >= 0) context.addIssue({ code: 'custom', path: [index], message: 'is no token id' });
  })
  .transform((tokens) => tokens as number[]); // each was looked at

const TokenizeRequest = z.looseObject({
  content: z.string(),
  add_special: z.boolean().nullish().describe('puts the token before it that begins a text'),
  with_pieces: z.boolean().nullish().describe('tells the text of each token'),
  model: modelField,
});
const refusedOfTokenize: readonly RefusedParameter[] = [
  { name: 'parse_special', why: 'texts that stand for special tokens are always read as such', harmful: [false] },
];
const TokenList = z.looseObject({ tokens: z.array(z.union([z.int(), z.looseObject({ id: z.int(), piece: z.string() })])) });
const DetokenizeRequest = z.looseObject({ tokens: Tokens, model: modelField });
const TemplateRequest = z.looseObject({ ...promptFields, model: modelField });
const RenderedTemplate = z.looseObject({
  prompt: z.string(),
  osler: z.looseObject({ thought: z.enum(['open', 'off', 'undecided']).describe('how the prompt leaves the thought') }),
});
const ModelQuery = z.object({ model: modelField });
const Props = z.looseObject({
  model: z.string(),
  notice: z.string(),
  chat_template: z.string(),
  bos_token: z.string(),
  eos_token: z.string(),
  n_ctx: z.int().describe('tokens that one request may use, prompt and answer together'),
  total_slots: z.int().describe('requests at once'),
  embedding_size: z.int().nullable(),
  device: z.string(),
  build_info: z.string(),
});
const Slot = z.looseObject({
  id: z.int(),
  state: z.enum(['idle', 'prompt', 'generation']),
  is_processing: z.boolean(),
  cached_tokens: z.int(),
  n_ctx: z.int(),
});

/** Tokens, templates and slots, with llama-server's names. */
export function engineToolRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const describe = (summary: string, reply: z.ZodType) => ({ tag: 'tools', summary, response: { 200: json(reply, 'done') } }) as const;

    const tokenize = describeRoute({ body: TokenizeRequest }, describe('Cuts text into tokens', TokenList));
    app.post('/tokenize', { schema: tokenize }, async ({ body }) => {
      refuseParameters(body, refusedOfTokenize);
      const model = chooseModel(deps.models, body.model);
      await infoOfReady(model);
      const tokens = await model.engine.tokenize(body.add_special === true ? model.template.bosToken + body.content : body.content);
      if (body.with_pieces !== true) return { tokens };
      if (tokens.length > maxPieces) throw new OSLER_ERR_REQUEST_UNSUPPORTED('with_pieces', `the text has more than ${maxPieces} tokens`);
      return { tokens: await Promise.all(tokens.map(async (id) => ({ id, piece: await model.engine.detokenize([id]) }))) };
    });

    const detokenize = describeRoute(
      { body: DetokenizeRequest },
      describe('Puts tokens together to text', z.looseObject({ content: z.string() })),
    );
    app.post('/detokenize', { schema: detokenize }, async ({ body }) => {
      const model = chooseModel(deps.models, body.model);
      await infoOfReady(model);
      return { content: await model.engine.detokenize(body.tokens) };
    });

    const template = describeRoute(
      { body: TemplateRequest },
      describe('Renders a chat to the prompt that the model would get', RenderedTemplate),
    );
    app.post('/apply-template', { schema: template }, async ({ body }) => {
      const { prompt } = renderChat(body, chooseModel(deps.models, body.model));
      const thought = prompt.isThoughtPreopened ? 'open' : prompt.isThinkingEnabled ? 'undecided' : 'off';
      return { prompt: prompt.text, osler: { thought } };
    });

    const props = describeRoute({ querystring: ModelQuery }, describe('Tells of a model and its engine', Props));
    app.get('/props', { schema: props }, async ({ query }) => {
      const model = chooseModel(deps.models, query.model);
      const info = await infoOfReady(model);
      const { temperature, topP, topK, minP } = defaultSampling;
      return {
        model: model.name,
        notice: researchNotice,
        chat_template: model.template.source,
        bos_token: model.template.bosToken,
        eos_token: model.template.eosToken,
        n_ctx: info.contextTokens,
        total_slots: info.slots,
        embedding_size: info.embeddingSize,
        device: info.device,
        modalities: { vision: false, audio: false },
        default_generation_settings: { n_ctx: info.contextTokens, params: { temperature, top_p: topP, top_k: topK, min_p: minP } },
        build_info: `osler ${packageVersion()}`,
      };
    });

    const slots = describeRoute(
      { querystring: ModelQuery },
      describe('Tells what runs in each slot; empty where the engine cannot say', z.array(Slot)),
    );
    app.get('/slots', { schema: slots }, async ({ query }) => {
      const model = chooseModel(deps.models, query.model);
      const { contextTokens } = await infoOfReady(model);
      const states = await model.engine.slots();
      return states.map(({ id, state, cachedTokens }) => ({
        id,
        state,
        is_processing: state !== 'idle',
        cached_tokens: cachedTokens,
        n_ctx: contextTokens,
      }));
    });
  };
}

/** The named model, or the only one. Throws OSLER_ERR_REQUEST_INVALID where that is not clear. */
function chooseModel(models: ServedModels, name: string | undefined): ServedModel {
  if (name !== undefined) return models.get(name);
  const [only, ...others] = models.list();
  if (only !== undefined && others.length === 0) return only;
  throw new OSLER_ERR_REQUEST_INVALID(
    `Several models are served: ${models
      .list()
      .map((model) => model.name)
      .join(', ')}. Name one as "model".`,
  );
}
