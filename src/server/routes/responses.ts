import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { readAnswers, startAnswers } from '../answers.ts';
import type { AppDeps } from '../app.ts';
import { answerHead } from '../openai/answer-head.ts';
import { ResponseEncoder, ResponseObject } from '../openai/response-answer.ts';
import { readResponseRequest, ResponseRequest } from '../openai/response-request.ts';
import { answerOrStream, describeRoute } from '../openapi.ts';
import { sendStream } from '../stream-reply.ts';

/** POST /v1/responses, whole or streamed; nothing is kept between two of them. */
export function responseRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = describeRoute(
      { body: ResponseRequest },
      {
        tag: 'openai',
        summary: 'Answers in the form of OpenAI’s Responses, without memory and tools',
        response: { 200: answerOrStream(ResponseObject, 'the response, or its events') },
      },
    );
    app.post('/v1/responses', { schema }, async (request, reply) => {
      const { body } = request;
      const model = deps.models.get(body.model);
      const generate = readResponseRequest(body, model);
      const encoder = new ResponseEncoder({ clock: deps.clock, head: answerHead(deps, model, 'resp'), body, request: generate });
      const answers = startAnswers(deps, model, [generate], reply);
      if (body.stream === true) return await sendStream(request, reply, { answers, encoder });
      await readAnswers(answers, (index, event) => void encoder.take(index, event));
      return encoder.whole();
    });
  };
}
