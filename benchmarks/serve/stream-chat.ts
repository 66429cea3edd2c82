import { type IncomingMessage, request } from 'node:http';
import type { RequestRecord } from './load-job.ts';
import { type ChunkUsage, readChunk } from './read-chunk.ts';
import { SseReader } from './sse-reader.ts';

const shownErrorCharacters = 300;

/** Where to send, and the moment that times count from. */
export interface StreamTarget {
  readonly port: number;
  readonly originMs: number;
}

/** Sends one streamed chat request and times what comes back. Throws where the status is not 200 or the stream ends early. */
export async function streamChat(target: StreamTarget, body: string): Promise<RequestRecord> {
  const now = (): number => performance.now() - target.originMs;
  const startMs = now();
  const response = await post(target, body);
  if (response.statusCode !== 200) throw new Error(await describeRefusal(response));
  response.setEncoding('utf8');
  const reader = new SseReader();
  const gapsMs: number[] = [];
  let firstTextMs: number | null = null;
  let lastTextMs = 0;
  let finishReason: string | null = null;
  let usage: ChunkUsage | undefined;
  for await (const piece of response) {
    const arrivedMs = now();
    // After setEncoding the stream yields strings; its type says any.
    for (const { data } of reader.push(piece as string)) {
      if (data === '[DONE]') continue;
      const chunk = readChunk(data);
      finishReason = chunk.finishReason ?? finishReason;
      usage = chunk.usage ?? usage;
      if (!chunk.hasText) continue;
      if (firstTextMs === null) firstTextMs = arrivedMs;
      else gapsMs.push(arrivedMs - lastTextMs);
      lastTextMs = arrivedMs;
    }
  }
  if (usage === undefined) throw new Error('A stream ended without its usage chunk.');
  return { startMs, firstTextMs, endMs: now(), gapsMs, finishReason, ...usage };
}

function post({ port }: StreamTarget, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  // llama-server promises to keep a connection after a stream and closes it: both servers get a new one for each request.
  const sent = request({ host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', agent: false, headers }, resolve);
  sent.once('error', reject);
  sent.end(body);
  return promise;
}

async function describeRefusal(response: IncomingMessage): Promise<string> {
  const text = (await Array.fromAsync(response)).join('');
  return `The server answered ${response.statusCode ?? 'nothing'}: ${text.slice(0, shownErrorCharacters)}`;
}
