import { createRequestId } from '../../core/ids.ts';
import type { EngineEvent, GenerateRequest, TokenLogprob } from '../../engine/engine.ts';
import { type ToolCallStep, ToolCallParser } from '../../engine/tool-call-parser.ts';
import { defaultThoughtTags, type ThoughtClosed } from '../../engine/thought-splitter.ts';
import type { ToolPlan } from './chat-tools.ts';

/** A piece of a choice, in the order in which it is told. */
export type ChoicePart =
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'content'; readonly text: string; readonly logprobs?: readonly TokenLogprob[] }
  | { readonly type: 'call'; readonly index: number; readonly id: string; readonly name: string; readonly arguments: string };

export type FinishReason = 'stop' | 'length' | 'tool_calls';
type Finish = Extract<EngineEvent, { type: 'finish' }>;

export interface ChoiceOptions {
  readonly request: GenerateRequest;
  readonly tools: ToolPlan;
  /** Thought and tags stay in the content. */
  readonly isRaw: boolean;
}

/** One choice of a chat: turns an engine's events into its parts, whole answers and streams alike. */
export class ChatChoice {
  readonly request: GenerateRequest;
  readonly #isRaw: boolean;
  readonly #parser: ToolCallParser | undefined;
  #logprobs: TokenLogprob[] = [];
  #rawLength = 0;
  #callCount = 0;
  #closed: ThoughtClosed = 'none';
  #finish: Finish | undefined;

  constructor({ request, tools, isRaw }: ChoiceOptions) {
    this.request = request;
    this.#isRaw = isRaw;
    const names = tools.tools.map((tool) => tool.function.name);
    if (names.length > 0) this.#parser = new ToolCallParser({ names, isForced: tools.grammar !== undefined, maxCalls: tools.maxCalls });
  }

  get closed(): ThoughtClosed {
    return this.#closed;
  }

  /** Undefined until the generation is over. */
  get finish(): Finish | undefined {
    return this.#finish;
  }

  get finishReason(): FinishReason | null {
    if (this.#finish === undefined) return null;
    return this.#finish.reason === 'stop' && this.#callCount > 0 ? 'tool_calls' : this.#finish.reason;
  }

  /** Log-probabilities of tokens that no part has told, such as those of an end that shows no text. */
  get untoldLogprobs(): readonly TokenLogprob[] {
    return this.#callCount > 0 ? [] : this.#logprobs;
  }

  /** What stands before any generated text: the opening tag of a raw thought, which the prompt holds, in the template's layout. */
  open(): ChoicePart[] {
    const { prompt, isThoughtPreopened } = this.request;
    return this.#isRaw && isThoughtPreopened ? [{ type: 'content', text: prompt.slice(prompt.lastIndexOf(defaultThoughtTags.open)) }] : [];
  }

  take(event: EngineEvent): ChoicePart[] {
    switch (event.type) {
      case 'delta':
        if (event.logprobs !== undefined) this.#logprobs.push(...event.logprobs);
        if (this.#isRaw) return this.#rawParts(event.raw);
        return [...reasoning(event.thought), ...(event.answer === '' ? [] : this.#answerParts(event.answer))];
      case 'thought-closed':
        this.#closed = event.how;
        return [];
      case 'finish': {
        this.#finish = event;
        if (this.#isRaw) return this.#rawParts(event.rawText.slice(this.#rawLength));
        return this.#parser === undefined ? [] : this.#stepParts(this.#parser.end());
      }
    }
  }

  #rawParts(text: string): ChoicePart[] {
    this.#rawLength += text.length;
    return this.#content(text);
  }

  #answerParts(text: string): ChoicePart[] {
    return this.#parser === undefined ? this.#content(text) : this.#stepParts(this.#parser.push(text));
  }

  #stepParts({ content, calls }: ToolCallStep): ChoicePart[] {
    const parts = this.#content(content);
    for (const call of calls) {
      parts.push({ type: 'call', index: this.#callCount, id: createRequestId('call'), ...call });
      this.#callCount += 1;
    }
    // Tokens of a call are no content.
    if (calls.length > 0) this.#logprobs = [];
    return parts;
  }

  #content(text: string): ChoicePart[] {
    if (text === '') return [];
    if (this.request.topLogprobs === undefined) return [{ type: 'content', text }];
    const logprobs = this.#logprobs;
    this.#logprobs = [];
    return [{ type: 'content', text, logprobs }];
  }
}

function reasoning(text: string): ChoicePart[] {
  return text === '' ? [] : [{ type: 'reasoning', text }];
}
