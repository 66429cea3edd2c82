import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { readAnswers, startAnswers } from '../answers.ts';
import type { AppDeps } from '../app.ts';
import { checkCapacity } from '../limits/capacity.ts';
import { answerHead } from '../openai/answer-head.ts';
import { ChatCompletion, encodeCompletion } from '../openai/chat-answer.ts';
import { ChatChoice, type ChoicePart } from '../openai/chat-choice.ts';
import { ChatRequest } from '../openai/chat-request.ts';
import { ChatStream } from '../openai/chat-stream.ts';
import { planChat } from '../openai/read-chat-request.ts';
import { requestsOfChoices } from '../openai/sampling-request.ts';
import { answerOrStream, describeRoute } from '../openapi.ts';
import { sendStream } from '../stream-reply.ts';

/** POST /v1/chat/completions, whole or streamed. */
export function chatRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = describeRoute(
      { body: ChatRequest },
      {
        tag: 'openai',
        summary: 'Answers a chat, the thought apart from the answer',
        response: { 200: answerOrStream(ChatCompletion, 'the answer, or its chunks as server-sent events') },
      },
    );
    app.post('/v1/chat/completions', { schema }, async (request, reply) => {
      const { body } = request;
      const model = deps.models.get(body.model);
      const plan = planChat(body, model);
      const choiceCount = body.n ?? 1;
      checkCapacity(model, { choices: choiceCount });
      const requests = requestsOfChoices(plan.request, choiceCount);
      const choices = requests.map(
        (choice) => new ChatChoice({ request: choice, tools: plan.tools, isRaw: body.reasoning_format === 'none' }),
      );
      const head = { ...answerHead(deps, model, 'chatcmpl'), hasReasoningAlias: body.reasoning_alias === true };
      const answers = startAnswers(deps, model, requests, reply);
      if (body.stream === true) {
        const encoder = new ChatStream(head, choices, body.stream_options?.include_usage === true);
        return await sendStream(request, reply, { answers, encoder });
      }
      const parts = choices.map((choice): ChoicePart[] => choice.open());
      await readAnswers(answers, (index, event) => parts[index]?.push(...(choices[index]?.take(event) ?? [])));
      return encodeCompletion(
        head,
        choices.map((choice, index) => ({ choice, parts: parts[index] ?? [] })),
      );
    });
  };
}
