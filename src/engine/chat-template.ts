import { Template } from '@huggingface/jinja';
import { sha256 } from '../core/digest.ts';
import { messageOf, OSLER_ERR_MODEL_TEMPLATE } from '../core/errors.ts';
import type { TemplateMessage } from './chat-history.ts';
import { defaultThoughtTags, type ThoughtTags } from './thought-splitter.ts';
import { type Tool, writeToolsAsText } from './tool-prompt.ts';

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

export interface RenderOptions {
  readonly isThinkingEnabled?: boolean | undefined;
  /** Functions that the model may call. */
  readonly tools?: readonly Tool[];
  /** Further variables of the template; they replace none of ours. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The answer must have a form, so a model that would decide for itself whether to think has it decided here. */
  readonly mustDecideThought?: boolean;
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

  get bosToken(): string {
    return this.#options.bosToken;
  }

  get eosToken(): string {
    return this.#options.eosToken;
  }

  /** Whether it renders tools, calls and results itself; otherwise they are written as text. */
  get rendersTools(): boolean {
    return /\btools\b/.test(this.source);
  }

  /** Renders messages with the generation prompt. Throws OSLER_ERR_MODEL_TEMPLATE where the template refuses them. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): RenderedPrompt {
    const { bosToken, eosToken, owner, tags = defaultThoughtTags } = this.#options;
    const tools = options.tools ?? [];
    const { tools: _tools, ...variables } = options.variables ?? {};
    const prepared = this.rendersTools ? messages.map((message) => this.#withArguments(message)) : writeToolsAsText(messages, tools);
    let text: string;
    try {
      text = this.#template.render({
        ...variables,
        ...(options.isThinkingEnabled !== undefined && { enable_thinking: options.isThinkingEnabled }),
        ...(this.rendersTools && tools.length > 0 && { tools }),
        messages: prepared.map((message) => ({ ...message })),
        add_generation_prompt: true,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch (error) {
      throw new OSLER_ERR_MODEL_TEMPLATE(owner, messageOf(error));
    }
    const state = readThoughtState(text, tags);
    if (options.mustDecideThought !== true || state.isThoughtPreopened || !state.isThinkingEnabled) return { text, ...state };
    // A model that knows the tag would think first: the tag is written for it. Any other answers at once.
    if (this.source.includes(tags.open)) return { text: `${text}${tags.open}\n`, isThoughtPreopened: true, isThinkingEnabled: true };
    return { text, isThoughtPreopened: false, isThinkingEnabled: false };
  }

  /** Templates that write `arguments` into their text as it is want JSON; those that go through it or encode it want the object. */
  #withArguments(message: TemplateMessage): TemplateMessage {
    if (message.tool_calls === undefined || /\barguments\b[^%}]*\|\s*(?:tojson|items)\b/.test(this.source)) return message;
    const calls = message.tool_calls.map((call) => {
      const { name, arguments: given } = call.function;
      return { ...call, function: { name, arguments: typeof given === 'string' ? given : JSON.stringify(given) } };
    });
    return { ...message, tool_calls: calls };
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
