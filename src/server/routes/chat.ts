import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { OSLER_ERR_INTERRUPTED } from '../../core/errors.ts';
import { createRequestId } from '../../core/ids.ts';
import type { AppDeps } from '../app.ts';
import { type AnswerHead, encodeChunks, encodeCompletion } from '../openai/chat-answer.ts';
import { ChatRequest } from '../openai/chat-request.ts';
import { readChatRequest } from '../openai/read-chat-request.ts';
import { errorBodyOf, logFailure } from '../error-reply.ts';
import { encodeSse } from '../sse.ts';

/** POST /v1/chat/completions, whole or streamed. */
export function chatRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/chat/completions', { schema: { body: ChatRequest } }, async (request, reply) => {
      const { body } = request;
      const model = deps.models.get(body.model);
      const generate = readChatRequest(body, model);
      const head: AnswerHead = {
        id: createRequestId('chatcmpl'),
        createdSeconds: Math.floor(deps.clock.now().getTime() / 1000),
        model,
        request: generate,
        format: body.reasoning_format === 'none' ? 'none' : 'auto',
      };
      const left = new AbortController();
      const events = deps.metrics.observe(model.name, model.engine.generate(generate, left.signal));
      reply.raw.once('close', () => {
        left.abort();
        // A body that was never read leaves its source open: the work ends here in any case.
        events.return().catch(() => undefined);
      });
      const orLeft = (error: unknown): never => {
        throw left.signal.aborted ? new OSLER_ERR_INTERRUPTED('The client left before the answer was there.') : error;
      };
      void reply.header('x-request-id', request.id);
      if (body.stream !== true) return encodeCompletion(head, await Array.fromAsync(events).catch(orLeft));

      // Errors before the first event get a status of their own; later ones can only be told in the stream.
      const first = await events.next().catch(orLeft);
      if (left.signal.aborted) orLeft(undefined);
      async function* all() {
        if (first.done !== true) yield first.value;
        yield* events;
      }
      async function* data() {
        try {
          for await (const chunk of encodeChunks(head, all(), body.stream_options?.include_usage === true))
            yield { data: JSON.stringify(chunk) };
          yield { data: '[DONE]' };
        } catch (error) {
          if (left.signal.aborted) return;
          logFailure(request, error, 'stream failed');
          yield { event: 'error', data: JSON.stringify(errorBodyOf(error, request.id).body) };
        }
      }
      return await reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-cache')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(encodeSse(data())));
    });
  };
}
