import { Template } from '@huggingface/jinja';
import { sha256 } from '../core/digest.ts';
import { messageOf, OSLER_ERR_MODEL_TEMPLATE } from '../core/errors.ts';
import type { TemplateMessage } from './chat-history.ts';
import { defaultThoughtTags, type ThoughtTags } from './thought-splitter.ts';

/** A prompt ready to be tokenized, and what it says of the thought that follows. */
export interface RenderedPrompt {
  readonly text: string;
  /** The prompt ends with the opening tag. */
  readonly isThoughtPreopened: boolean;
  /** false: the prompt ends with a closed pair, so there will be no thought. */
  readonly isThinkingEnabled: boolean;
}

export interface ChatTemplateOptions {
  /** Name of the model, for errors. */
  readonly owner: string;
  readonly source: string;
  readonly bosToken: string;
  readonly eosToken: string;
  readonly tags?: ThoughtTags;
}

/** A model's Jinja chat template: the one way from messages to a prompt, in evaluation and serving alike. */
export class ChatTemplate {
  readonly source: string;
  /** sha256 of the template's text. */
  readonly digest: string;
  readonly #template: Template;
  readonly #options: ChatTemplateOptions;

  /** Throws OSLER_ERR_MODEL_TEMPLATE where the text is no valid template. */
  constructor(options: ChatTemplateOptions) {
    this.#options = options;
    this.source = options.source;
    this.digest = sha256(options.source);
    try {
      this.#template = new Template(options.source);
    } catch (error) {
      throw new OSLER_ERR_MODEL_TEMPLATE(options.owner, messageOf(error));
    }
  }

  /** Renders messages with the generation prompt. Throws OSLER_ERR_MODEL_TEMPLATE where the template refuses them. */
  render(
    messages: readonly TemplateMessage[],
    options: { isThinkingEnabled?: boolean | undefined; variables?: Record<string, unknown> } = {},
  ): RenderedPrompt {
    const { bosToken, eosToken, owner, tags = defaultThoughtTags } = this.#options;
    let text: string;
    try {
      text = this.#template.render({
        ...options.variables,
        ...(options.isThinkingEnabled !== undefined && { enable_thinking: options.isThinkingEnabled }),
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: true,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch (error) {
      throw new OSLER_ERR_MODEL_TEMPLATE(owner, messageOf(error));
    }
    return { text, ...readThoughtState(text, tags) };
  }
}

/** Whether a prompt leaves a thought open, closed, or to the model: decided from its last characters only. */
export function readThoughtState(
  prompt: string,
  tags: ThoughtTags = defaultThoughtTags,
): Pick<RenderedPrompt, 'isThoughtPreopened' | 'isThinkingEnabled'> {
  const text = prompt.trimEnd();
  if (text.endsWith(tags.open)) return { isThoughtPreopened: true, isThinkingEnabled: true };
  const isClosedPair = text.endsWith(tags.close) && text.slice(0, -tags.close.length).trimEnd().endsWith(tags.open);
  return { isThoughtPreopened: false, isThinkingEnabled: !isClosedPair };
}
