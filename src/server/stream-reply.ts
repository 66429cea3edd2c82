import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnswerEvent } from './answer-question.ts';
import type { Answers } from './answers.ts';
import { type ErrorBody, errorBodyOf, logFailure } from './error-reply.ts';
import { interleave } from './interleave.ts';
import { sseBlock, sseHeaders, sseStream } from './sse.ts';

/** So long an answer may take to begin before the client is told that one is coming. Until then an error has a status of its own. */
const commitMs = 1000;

/** Turns the events of generations into the text of one stream. */
export interface StreamEncoder {
  /** What stands before all events. */
  open(): string;
  /** May be empty. */
  take(index: number, event: AnswerEvent): string;
  /** What stands after them. */
  close(): string;
  /** The end of a stream that broke; left out: an event `error`. */
  fail?(body: ErrorBody): string;
}

/** Replies with a stream of the answers' events. Throws what went wrong within the first second. */
export async function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  { answers, encoder }: { answers: Answers; encoder: StreamEncoder },
): Promise<FastifyReply> {
  let opening = encoder.open();
  const pull = pullerOf(answers, encoder);
  let first: Promise<string | undefined> | undefined = pull();
  try {
    // The status leaves with the first bytes.
    if (!(await settledWithin(first, commitMs)) && opening === '') opening = ': open\n\n';
  } catch (error) {
    answers.stop();
    throw answers.errorOf(error);
  }
  if (answers.hasLeft()) throw answers.errorOf(undefined);

  let isOver = false;
  let isOpened = false;
  const end = (value: string): IteratorResult<string> => {
    isOver = true;
    return { done: false, value };
  };
  const blocks: AsyncIterator<string> = {
    async next() {
      if (!isOpened) {
        isOpened = true;
        return { done: false, value: opening };
      }
      if (isOver) return { done: true, value: undefined };
      try {
        const text = await (first ?? pull());
        first = undefined;
        return text === undefined ? end(encoder.close()) : { done: false, value: text };
      } catch (error) {
        answers.stop();
        if (answers.hasLeft()) return { done: true, value: undefined };
        logFailure(request, error, 'stream failed');
        const { body } = errorBodyOf(error, request.id);
        return end(encoder.fail?.(body) ?? sseBlock(JSON.stringify(body), 'error'));
      }
    },
    async return() {
      answers.stop();
      return { done: true, value: undefined };
    },
  };
  return await reply.headers(sseHeaders).send(sseStream(blocks));
}

/** Gives the text of one event a call; undefined at the end. */
function pullerOf({ runs }: Answers, encoder: StreamEncoder): () => Promise<string | undefined> {
  const [only] = runs;
  if (only !== undefined && runs.length === 1) {
    return async () => {
      const result = await only.next();
      return result.done === true ? undefined : encoder.take(0, result.value);
    };
  }
  const events = interleave(runs);
  return async () => {
    const result = await events.next();
    return result.done === true ? undefined : encoder.take(result.value.index, result.value.value);
  };
}

/** Whether the promise is there before the time is up; throws what the promise throws in time. */
async function settledWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
