import type { EngineEvent, GenerateRequest, Usage } from '../../engine/engine.ts';
import { gatherAnswer } from '../../engine/gathered-answer.ts';
import { defaultThoughtTags, type ThoughtClosed } from '../../engine/thought-splitter.ts';
import { fingerprintOf, type ServedModel } from '../served-model.ts';

/** What is the same in every chunk of one answer. */
export interface AnswerHead {
  readonly id: string;
  readonly createdSeconds: number;
  readonly model: ServedModel;
  readonly request: GenerateRequest;
  /** `none`: the raw text with its tags, in `content`. */
  readonly format: 'auto' | 'none';
}

/** The whole answer as OpenAI's `chat.completion`. */
export function encodeCompletion(head: AnswerHead, events: readonly EngineEvent[]): Record<string, unknown> {
  const { thought, answer, closed, finish } = gatherAnswer(events);
  const isRaw = head.format === 'none';
  return {
    ...envelope(head, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: isRaw ? rawText(head, finish?.rawText ?? '') : answer,
          ...(!isRaw && thought !== '' && { reasoning_content: thought }),
        },
        logprobs: null,
        finish_reason: finish?.reason ?? null,
      },
    ],
    ...(finish && { usage: encodeUsage(finish.usage) }),
    osler: encodeDetails(head, closed, finish),
  };
}

/** Streams an answer as `chat.completion.chunk` objects: role, deltas, the end, and usage where asked. */
export async function* encodeChunks(
  head: AnswerHead,
  events: AsyncIterable<EngineEvent>,
  includeUsage: boolean,
): AsyncGenerator<Record<string, unknown>, void> {
  const chunk = (delta: Record<string, unknown>, finishReason: string | null = null): Record<string, unknown> => ({
    ...envelope(head, 'chat.completion.chunk'),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(includeUsage && { usage: null }),
  });
  yield chunk({ role: 'assistant' });
  let closed: ThoughtClosed = 'none';
  const isRaw = head.format === 'none';
  let isSeparatorDue = false;
  if (isRaw && head.request.isThoughtPreopened) yield chunk({ content: rawText(head, '') });
  let isInRawThought = isRaw && head.request.isThoughtPreopened;
  for await (const event of events) {
    if (event.type === 'thought-closed') {
      closed = event.how;
      if (isInRawThought && closed !== 'never') {
        yield chunk({ content: `\n${defaultThoughtTags.close}` });
        isInRawThought = false;
        isSeparatorDue = true;
      }
    } else if (event.type === 'finish') {
      yield { ...chunk({}, event.reason), osler: encodeDetails(head, closed, event) };
      if (includeUsage) yield { ...envelope(head, 'chat.completion.chunk'), choices: [], usage: encodeUsage(event.usage) };
    } else if (isRaw) {
      // One channel: the tags that the splitter took out are put back where the channels change.
      if (event.thought !== '') {
        yield chunk({ content: isInRawThought ? event.thought : `${defaultThoughtTags.open}\n${event.thought}` });
        isInRawThought = true;
      }
      if (event.answer !== '') {
        const before = isInRawThought ? `\n${defaultThoughtTags.close}\n\n` : isSeparatorDue ? '\n\n' : '';
        yield chunk({ content: before + event.answer });
        isInRawThought = false;
        isSeparatorDue = false;
      }
    } else {
      if (event.thought !== '') yield chunk({ reasoning_content: event.thought });
      if (event.answer !== '') yield chunk({ content: event.answer });
    }
  }
}

function envelope(head: AnswerHead, object: string): Record<string, unknown> {
  return { id: head.id, object, created: head.createdSeconds, model: head.model.name, system_fingerprint: fingerprintOf(head.model) };
}

/** Generated text after the opening tag of the prompt, with the white space that the template has there. */
function rawText(head: AnswerHead, text: string): string {
  const { isThoughtPreopened, prompt } = head.request;
  return isThoughtPreopened ? prompt.slice(prompt.lastIndexOf(defaultThoughtTags.open)) + text : text;
}

function encodeUsage(usage: Usage): Record<string, unknown> {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

function encodeDetails(
  head: AnswerHead,
  closed: ThoughtClosed,
  finish: Extract<EngineEvent, { type: 'finish' }> | undefined,
): Record<string, unknown> {
  return {
    seed: head.request.seed,
    thought_closed: closed,
    ...(finish && {
      timings: {
        queue_s: finish.timings.queueSeconds,
        prompt_s: finish.timings.promptSeconds,
        generation_s: finish.timings.generationSeconds,
      },
    }),
  };
}
