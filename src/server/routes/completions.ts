import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { readAnswers, startAnswers } from '../answers.ts';
import type { AppDeps } from '../app.ts';
import { checkCapacity } from '../limits/capacity.ts';
import { answerHead } from '../openai/answer-head.ts';
import { CompletionEncoder, TextCompletion } from '../openai/completion-answer.ts';
import { CompletionRequest, readCompletionRequest } from '../openai/completion-request.ts';
import { requestsOfChoices } from '../openai/sampling-request.ts';
import { answerOrStream, describeRoute } from '../openapi.ts';
import { sendStream } from '../stream-reply.ts';

/** POST /v1/completions: continues raw text, whole or streamed. */
export function completionRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = describeRoute(
      { body: CompletionRequest },
      {
        tag: 'openai',
        summary: 'Continues raw text, without template and thought',
        response: { 200: answerOrStream(TextCompletion, 'the text, or its pieces as server-sent events') },
      },
    );
    app.post('/v1/completions', { schema }, async (request, reply) => {
      const { body } = request;
      const model = deps.models.get(body.model);
      const choicesPerPrompt = body.n ?? 1;
      const prompts = readCompletionRequest(body);
      checkCapacity(model, { choices: choicesPerPrompt, prompts: prompts.length });
      const requests = prompts.flatMap((generate) => requestsOfChoices(generate, choicesPerPrompt));
      const encoder = new CompletionEncoder({
        head: answerHead(deps, model, 'cmpl'),
        requests,
        choicesPerPrompt,
        isEcho: body.echo === true,
        includesUsage: body.stream_options?.include_usage === true,
      });
      const answers = startAnswers(deps, model, requests, reply);
      if (body.stream === true) return await sendStream(request, reply, { answers, encoder });
      await readAnswers(answers, (index, event) => void encoder.take(index, event));
      return encoder.whole();
    });
  };
}
