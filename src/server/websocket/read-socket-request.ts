import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { ChatRequest } from '../openai/chat-request.ts';
import { type ChatPlan, planChat } from '../openai/read-chat-request.ts';
import type { ServedModel } from '../served-model.ts';

/** Reads a chat frame's request as the route over HTTP does; what these frames cannot carry is refused by name. */
export function readSocketRequest(body: ChatRequest, model: ServedModel): ChatPlan {
  const refuse = (name: string, isAsked: boolean, why: string): void => {
    if (isAsked) throw new OSLER_ERR_REQUEST_UNSUPPORTED(name, why);
  };
  refuse('n', (body.n ?? 1) > 1, 'on the websocket, send one chat frame for each answer');
  refuse('stream', body.stream === false, 'a chat on the websocket always streams');
  refuse('logprobs', body.logprobs === true, 'the websocket does not carry them; use POST /v1/chat/completions');
  refuse('reasoning_format', body.reasoning_format === 'none', 'the websocket always sends thought and answer apart');
  refuse('reasoning_alias', body.reasoning_alias === true, 'the websocket sends the thought once, as "reasoning_content"');
  return planChat(body, model);
}
