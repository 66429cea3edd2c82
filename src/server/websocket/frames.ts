import { z } from 'zod';
import { ChatUsage } from '../openai/chat-answer.ts';
import { ChatRequest } from '../openai/chat-request.ts';
import { chatSubprotocol } from './subprotocol.ts';

/** A chat's name, chosen by the client. */
const ChatId = z.string().min(1).max(64).describe('chosen by the client; unique among the chats that run on this socket');

const clientFrames = [
  z
    .strictObject({
      type: z.literal('chat'),
      id: ChatId,
      request: ChatRequest.describe('body of POST /v1/chat/completions; a chat here always streams'),
    })
    .describe('starts a chat'),
  z.strictObject({ type: z.literal('cancel'), id: ChatId }).describe('ends a running chat; its work on the engine stops'),
  z.strictObject({ type: z.literal('answer-now'), id: ChatId }).describe('closes a running thought, so that the answer begins'),
  z
    .strictObject({ type: z.literal('ping'), at: z.number().optional().describe('anything; comes back in the pong') })
    .describe('asks for a pong, for clients that cannot see the protocol’s own pings'),
] as const;

/** What a client sends, as JSON text. */
export const ClientFrame = z.discriminatedUnion('type', clientFrames);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** The types of frames that a client may send. */
export const clientFrameTypes: readonly string[] = clientFrames.map((frame) => frame.shape.type.value);

const Count = z.int().min(0);

const ErrorDetails = z.looseObject({
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string().describe('see errors.md'),
});

const serverFrames = [
  z
    .strictObject({
      type: z.literal('hello'),
      protocol: z.literal(chatSubprotocol),
      models: z.array(z.string()).describe('names for `request.model`'),
      limits: z.strictObject({
        max_chats: Count.describe('that run at once on this socket'),
        max_frame_bytes: Count,
        heartbeat_s: z.number().describe('between two pings of the server'),
        read_timeout_s: z.number().describe('a client that does not read for so long is closed with 4408'),
      }),
      notice: z.string(),
    })
    .describe('first frame of every socket'),
  z
    .strictObject({
      type: z.literal('started'),
      id: ChatId,
      request_id: z.string().describe('of this chat in the server’s log'),
      model: z.string(),
      fingerprint: z.string().describe('names the exact weights and template'),
      seed: Count,
    })
    .describe('the chat was accepted; it may wait for a slot yet'),
  z
    .strictObject({
      type: z.literal('delta'),
      id: ChatId,
      seq: Count.describe('0, 1, 2 … within the chat'),
      reasoning_content: z.string().min(1).optional().describe('more of the thought'),
      content: z.string().min(1).optional().describe('more of the answer; follows the thought in the same frame'),
    })
    .describe('more text; deltas that had to wait for the client are merged'),
  z
    .strictObject({ type: z.literal('thought-closed'), id: ChatId, how: z.enum(['model', 'budget', 'client', 'never']) })
    .describe('the thought is over'),
  z
    .strictObject({
      type: z.literal('tool-call'),
      id: ChatId,
      index: Count.describe('0, 1, 2 … within the chat'),
      tool_call: z.strictObject({
        id: z.string(),
        type: z.literal('function'),
        function: z.strictObject({ name: z.string(), arguments: z.string().describe('JSON') }),
      }),
    })
    .describe('a whole call of one of the tools in `request.tools`'),
  z
    .strictObject({
      type: z.literal('done'),
      id: ChatId,
      finish_reason: z.enum(['stop', 'length', 'tool_calls']),
      usage: ChatUsage,
      timings: z.strictObject({ queue_s: z.number(), prompt_s: z.number(), generation_s: z.number() }),
      seed: Count,
    })
    .describe('last frame of a chat that came to its end'),
  z.strictObject({ type: z.literal('cancelled'), id: ChatId }).describe('last frame of a chat that the client cancelled'),
  z
    .strictObject({
      type: z.literal('error'),
      id: ChatId.nullable().describe('with an id: last frame of that chat; null: a frame was refused and no chat is touched'),
      error: ErrorDetails,
    })
    .describe('OpenAI’s error object'),
  z.strictObject({ type: z.literal('pong'), at: z.number().optional() }).describe('the answer to a ping'),
] as const;

/** What the server sends, as JSON text. */
export const ServerFrame = z.discriminatedUnion('type', serverFrames);
export type ServerFrame = z.infer<typeof ServerFrame>;

/** The types of frames that the server may send. */
export const serverFrameTypes: readonly string[] = serverFrames.map((frame) => frame.shape.type.value);
