import path from 'node:path';
import { OSLER_ERR_INTERRUPTED, OSLER_ERR_USAGE } from '../core/errors.ts';
import { readTextFile } from '../core/jsonl.ts';
import { ChatTemplate } from '../engine/chat-template.ts';
import { createMessagesTemplate, isMessagesTemplate } from '../engine/openai/messages-template.ts';
import { OpenAiEngine } from '../engine/openai/openai-engine.ts';
import { parseUpstreamRef } from '../engine/openai/upstream-ref.ts';
import type { CliContext } from './context.ts';
import type { OpenedModel, OpenModelOptions } from './open-model.ts';
import type { Reporter } from './progress.ts';

/**
 * Opens a model behind another server. With a template, given or told by the upstream, it gets rendered prompts;
 * without one it gets messages.
 *
 * @throws OSLER_ERR_ENGINE_LOAD where it cannot be reached, OSLER_ERR_USAGE, OSLER_ERR_MODEL_TEMPLATE
 */
export async function openUpstream(
  context: CliContext,
  options: OpenModelOptions,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<OpenedModel> {
  const { clock, config } = context;
  const ref = parseUpstreamRef(options.ref);
  if (ref.mode === 'chat' && options.templateFile !== null)
    throw new OSLER_ERR_USAGE(`"${options.ref}" is to be sent messages, so --template has no use. Leave out one of the two.`);
  const given = ref.mode === 'chat' ? null : await givenTemplateOf(options);
  const { slots, maxWaiting, contextTokens, name } = options;
  const apiKey = config.upstreamKeys[ref.host] ?? null;
  if (apiKey !== null && /^http:\/\/(?!localhost|127\.|\[::1\])/.test(ref.baseUrl))
    reporter.info(`the key and all prompts go to ${ref.host} unencrypted; use https where others share the network`);
  const engine = new OpenAiEngine({
    name,
    ref,
    apiKey,
    ...(ref.mode === 'chat' && { mode: 'chat' }),
    ...(given !== null && { mode: 'completions' }),
    slots,
    maxWaiting,
    contextTokens,
  });
  reporter.step(`asking ${ref.host} what it serves`);
  const giveUp = (): void => void engine.close();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const { bosToken, eosToken, kind, model, templateSource, weightsDigest } = await engine.describe();
    const source = given ?? (ref.mode === 'chat' ? null : templateSource);
    reporter.info(`${name}: "${model}" at ${ref.host} (${kind}), ${source === null ? 'by messages' : 'by rendered prompts'}`);
    return {
      fileType: null,
      model: {
        name,
        ref: options.ref,
        engine,
        template: source === null ? createMessagesTemplate(name, ref) : new ChatTemplate({ owner: name, source, bosToken, eosToken }),
        weightsDigest,
        capacity: slots + maxWaiting,
        createdSeconds: Math.floor(clock.now().getTime() / 1000),
      },
    };
  } catch (error) {
    await engine.close();
    throw signal?.aborted === true ? new OSLER_ERR_INTERRUPTED(`Stopped while "${options.ref}" was asked what it serves.`) : error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

async function givenTemplateOf(options: OpenModelOptions): Promise<string | null> {
  if (options.templateSource !== undefined) return isMessagesTemplate(options.templateSource) ? null : options.templateSource;
  return options.templateFile === null ? null : await readTextFile(path.resolve(options.templateFile));
}
