import { z } from 'zod';
import { UpstreamFailure } from './upstream-failure.ts';

/** Tokens as an upstream counts them. */
export interface UpstreamCounts {
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly reasoning: number;
}

/** One chunk of a streamed answer, of completions and chat alike. */
export interface UpstreamChunk {
  /** Text of a completion, or content of a chat. */
  readonly text: string;
  /** Text of a thought that the upstream has separated itself. */
  readonly reasoning: string;
  readonly finishReason: string | null;
  /** Totals of this answer so far. */
  readonly counts: UpstreamCounts | null;
  /** What the upstream reports in place of an answer. */
  readonly error: unknown;
}

const Count = z.number().nullish();
/** Mistral's chat sends content as parts, and thoughts as parts of type `thinking`. */
const Part = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  thinking: z.array(z.looseObject({ text: z.string().nullish() })).nullish(),
});

const Wire = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        text: z.string().nullish(),
        delta: z
          .looseObject({
            content: z.union([z.string(), z.array(Part)]).nullish(),
            refusal: z.string().nullish(),
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z
    .looseObject({
      prompt_tokens: Count,
      completion_tokens: Count,
      prompt_tokens_details: z.looseObject({ cached_tokens: Count }).nullish(),
      completion_tokens_details: z.looseObject({ reasoning_tokens: Count }).nullish(),
    })
    .nullish(),
  /** llama-server's, in each chunk where asked for. */
  timings: z.looseObject({ cache_n: Count, prompt_n: Count, predicted_n: Count }).nullish(),
  error: z.unknown().optional(),
});
type Wire = z.infer<typeof Wire>;

/** Reads the data of one event. Throws UpstreamFailure where it is no chunk. */
export function readChunk(data: string): UpstreamChunk {
  const parsed = Wire.safeParse(parseJson(data));
  if (!parsed.success) throw new UpstreamFailure('it sent something that is no chunk of an answer');
  const wire = parsed.data;
  const [choice] = wire.choices ?? [];
  const { content, thinking } = readContent(choice?.delta?.content);
  return {
    text: choice?.text ?? (content === '' ? (choice?.delta?.refusal ?? '') : content),
    reasoning: choice?.delta?.reasoning_content ?? choice?.delta?.reasoning ?? thinking,
    finishReason: choice?.finish_reason ?? null,
    counts: readCounts(wire),
    error: wire.error ?? null,
  };
}

function readContent(content: string | z.infer<typeof Part>[] | null | undefined): { content: string; thinking: string } {
  if (content === null || content === undefined) return { content: '', thinking: '' };
  if (typeof content === 'string') return { content, thinking: '' };
  return {
    content: content.map((part) => part.text ?? '').join(''),
    thinking: content.flatMap((part) => (part.thinking ?? []).map((piece) => piece.text ?? '')).join(''),
  };
}

function readCounts({ usage, timings }: Wire): UpstreamCounts | null {
  if (usage !== null && usage !== undefined) {
    return {
      prompt: usage.prompt_tokens ?? 0,
      cached: usage.prompt_tokens_details?.cached_tokens ?? timings?.cache_n ?? 0,
      completion: usage.completion_tokens ?? 0,
      reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    };
  }
  if (timings?.predicted_n === null || timings?.predicted_n === undefined) return null;
  const cached = timings.cache_n ?? 0;
  return { prompt: cached + (timings.prompt_n ?? 0), cached, completion: timings.predicted_n, reasoning: 0 };
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new UpstreamFailure('it sent something that is no JSON');
  }
}
