import type { EngineEvent } from '../../engine/engine.ts';
import { sseBlock } from '../sse.ts';
import type { StreamEncoder } from '../stream-reply.ts';
import { type AnswerHead, encodeCall, encodeDetails, encodeHead, encodeUsage, sumUsage } from './chat-answer.ts';
import type { ChatChoice, ChoicePart } from './chat-choice.ts';
import { encodeLogprobs } from './logprobs.ts';

/**
 * Writes a chat as `chat.completion.chunk` events: the roles, deltas, the ends, and usage where asked.
 * What all chunks share is made into text once: on few cores the server competes with the decoder.
 */
export class ChatStream implements StreamEncoder {
  readonly #head: AnswerHead;
  readonly #choices: readonly ChatChoice[];
  readonly #includesUsage: boolean;
  readonly #start: string;
  readonly #end: string;

  constructor(head: AnswerHead, choices: readonly ChatChoice[], includesUsage: boolean) {
    this.#head = head;
    this.#choices = choices;
    this.#includesUsage = includesUsage;
    this.#start = `data: ${JSON.stringify(encodeHead(head, 'chat.completion.chunk')).slice(0, -1)},"choices":[{"index":`;
    this.#end = includesUsage ? `}],"usage":null` : '}]';
  }

  open(): string {
    return this.#choices.map((choice, index) => this.#chunk(index, '{"role":"assistant"}') + this.#parts(index, choice.open())).join('');
  }

  take(index: number, event: EngineEvent): string {
    const choice = this.#choices[index];
    if (choice === undefined) return '';
    const text = this.#parts(index, choice.take(event));
    if (event.type !== 'finish') return text;
    const rest = choice.untoldLogprobs;
    const logprobs = rest.length === 0 ? 'null' : JSON.stringify(encodeLogprobs(rest));
    return `${text}${this.#start}${index},"delta":{},"logprobs":${logprobs},"finish_reason":"${choice.finishReason}"${this.#end},"osler":${JSON.stringify(encodeDetails(choice))}}\n\n`;
  }

  close(): string {
    if (!this.#includesUsage) return 'data: [DONE]\n\n';
    const usages = this.#choices.flatMap(({ finish }) => (finish === undefined ? [] : [finish.usage]));
    const usage = { ...encodeHead(this.#head, 'chat.completion.chunk'), choices: [], usage: encodeUsage(sumUsage(usages)) };
    return `${sseBlock(JSON.stringify(usage))}data: [DONE]\n\n`;
  }

  #parts(index: number, parts: readonly ChoicePart[]): string {
    let text = '';
    for (const part of parts) {
      if (part.type === 'call') text += this.#chunk(index, JSON.stringify({ tool_calls: [{ index: part.index, ...encodeCall(part) }] }));
      else if (part.type === 'content') text += this.#chunk(index, `{"content":${JSON.stringify(part.text)}}`, part.logprobs);
      else text += this.#chunk(index, this.#reasoning(JSON.stringify(part.text)));
    }
    return text;
  }

  #reasoning(json: string): string {
    return this.#head.hasReasoningAlias ? `{"reasoning_content":${json},"reasoning":${json}}` : `{"reasoning_content":${json}}`;
  }

  #chunk(index: number, delta: string, logprobs?: Extract<ChoicePart, { type: 'content' }>['logprobs']): string {
    const told = logprobs === undefined ? 'null' : JSON.stringify(encodeLogprobs(logprobs));
    return `${this.#start}${index},"delta":${delta},"logprobs":${told},"finish_reason":null${this.#end}}\n\n`;
  }
}
