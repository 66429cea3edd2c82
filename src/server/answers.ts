import type { FastifyReply } from 'fastify';
import { OSLER_ERR_INTERRUPTED } from '../core/errors.ts';
import type { GenerateRequest } from '../engine/engine.ts';
import { type AnswerEvent, answerQuestion } from './answer-question.ts';
import type { AppDeps } from './app.ts';
import type { ServedModel } from './served-model.ts';

/** The generations of one HTTP request. */
export interface Answers {
  readonly runs: readonly AsyncGenerator<AnswerEvent, void>[];
  /** Whether the client is gone. */
  hasLeft(): boolean;
  /** Ends the work of all of them. */
  stop(): void;
  /** What to throw for an error of theirs: a client that left is no fault of the server. */
  errorOf(error: unknown): unknown;
}

/** Starts generations that end when the client leaves. */
export function startAnswers(deps: AppDeps, model: ServedModel, requests: readonly GenerateRequest[], reply: FastifyReply): Answers {
  const ending = new AbortController();
  let hasLeft = false;
  const runs = requests.map((request) => answerQuestion(deps, model, request, ending.signal).events);
  const stop = (): void => {
    ending.abort();
    // Those that nobody began to read leave their source open: the work ends here in any case.
    for (const events of runs) events.return().catch(() => undefined);
  };
  reply.raw.once('close', () => {
    hasLeft = true;
    stop();
  });
  return {
    runs,
    hasLeft: () => hasLeft,
    stop,
    errorOf: (error) => (hasLeft ? new OSLER_ERR_INTERRUPTED('The client left before the answer was there.') : error),
  };
}

/** Reads all generations to their ends, giving each event to `take` with the place of its generation. One that fails ends all. */
export async function readAnswers(answers: Answers, take: (index: number, event: AnswerEvent) => void): Promise<void> {
  const read = async (events: AsyncGenerator<AnswerEvent, void>, index: number): Promise<void> => {
    for await (const event of events) take(index, event);
  };
  try {
    await Promise.all(answers.runs.map(read));
  } catch (error) {
    answers.stop();
    throw answers.errorOf(error);
  }
  // A generation that heeded the client's leaving may just have ended early.
  if (answers.hasLeft()) throw answers.errorOf(undefined);
}
