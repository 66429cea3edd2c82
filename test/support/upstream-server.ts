import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord } from '../../src/core/is-record.ts';
import { WordTokens } from './word-tokens.ts';

/** What one request asked for, and what became of it. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** Tokens that were sent. */
  sentTokens: number;
  /** The client closed the connection before the end. */
  isAborted: boolean;
}

/** Answers one request in place of the model; true: it has. */
export type Intercept = (seen: SeenRequest, response: ServerResponse) => boolean | Promise<boolean>;

export interface UpstreamServerOptions {
  /** How it behaves: as these servers do, or as a hosted service that has chat only. */
  readonly kind: 'llama-server' | 'vllm' | 'hosted';
  readonly model?: string;
  /** What the model says after an open thought, its closing tag included. */
  readonly reply?: string;
  readonly contextTokens?: number;
  readonly tokenMs?: number;
  /** How a hosted service sends thoughts. */
  readonly thoughts?: 'reasoning_content' | 'reasoning' | 'parts' | 'tags' | 'preopened';
  readonly template?: string | null;
  /** Answers 401 to whoever does not send it. */
  readonly key?: string;
  readonly port?: number;
}

/** A running upstream. */
export interface UpstreamServer {
  readonly origin: string;
  readonly baseUrl: string;
  readonly port: number;
  readonly requests: SeenRequest[];
  /** Faults, asked before every answer, the first that has one wins; removed by the test that put it there. */
  readonly intercepts: Intercept[];
  close(): Promise<void>;
}

export const upstreamTemplate =
  '{{ bos_token }}{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}<think>{{ "\n" }}';
export const upstreamReply = `${'I weigh the findings one by one and slowly. '.repeat(4)}\n</think>\n\nIt is scurvy, from lack of vitamin C. ${'More on that. '.repeat(30)}`;

/** Starts a small upstream on 127.0.0.1 whose model continues any prompt with its reply, word by word. */
export async function startUpstream(options: UpstreamServerOptions): Promise<UpstreamServer> {
  const upstream = new Upstream(options);
  const server = http.createServer((request, response) => void upstream.serve(request, response));
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    baseUrl: `${origin}/v1`,
    port,
    requests: upstream.requests,
    intercepts: upstream.intercepts,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class Upstream {
  readonly requests: SeenRequest[] = [];
  readonly intercepts: Intercept[] = [];
  readonly #options: UpstreamServerOptions;
  readonly #tokens = new WordTokens();

  constructor(options: UpstreamServerOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? {} : JSON.parse(text);
    const seen: SeenRequest = {
      path: (request.url ?? '').split('?')[0] ?? '',
      authorization: request.headers.authorization,
      body: isRecord(body) ? body : {},
      sentTokens: 0,
      isAborted: false,
    };
    this.requests.push(seen);
    response.once('close', () => {
      seen.isAborted = !response.writableFinished;
    });
    for (const intercept of this.intercepts) if (await intercept(seen, response)) return;
    const { key } = this.#options;
    if (key !== undefined && seen.authorization !== `Bearer ${key}`) return sendJson(response, 401, { error: { message: 'Invalid key' } });
    await this.#answer(seen, response);
  }

  async #answer(seen: SeenRequest, response: ServerResponse): Promise<void> {
    const { kind } = this.#options;
    const isVllm = kind === 'vllm';
    switch (seen.path) {
      case '/v1/models':
        return sendJson(response, 200, { object: 'list', data: [this.#entry()] });
      case '/v1/completions':
        if (kind !== 'hosted') return await this.#complete(seen, response);
        break;
      case '/v1/chat/completions':
        return await this.#chat(seen, response);
      case '/props':
        if (kind === 'llama-server') return sendJson(response, 200, this.#props());
        break;
      case '/tokenize': {
        if (kind === 'hosted') break;
        const bos = seen.body['add_special'] === true || (isVllm && seen.body['add_special_tokens'] !== false) ? [0] : [];
        const tokens = [...bos, ...this.#tokens.encode(String(seen.body[isVllm ? 'prompt' : 'content']))];
        return sendJson(response, 200, { tokens, count: tokens.length });
      }
      case '/detokenize': {
        if (kind === 'hosted' || !Array.isArray(seen.body['tokens'])) break;
        return sendJson(response, 200, { [isVllm ? 'prompt' : 'content']: this.#tokens.decode(seen.body['tokens'].map(Number)) });
      }
    }
    sendJson(response, 404, { error: { message: 'There is nothing here.', code: 404 } });
  }

  #entry(): Record<string, unknown> {
    const { kind, model = 'small' } = this.#options;
    if (kind === 'vllm') return { id: model, object: 'model', owned_by: 'vllm', max_model_len: this.#contextTokens };
    return { id: model, object: 'model', owned_by: kind === 'hosted' ? 'a-company' : 'llamacpp' };
  }

  get #contextTokens(): number {
    return this.#options.contextTokens ?? 4096;
  }

  #props(): Record<string, unknown> {
    const { template = upstreamTemplate } = this.#options;
    return {
      default_generation_settings: { n_ctx: this.#contextTokens },
      total_slots: 2,
      ...(template !== null && { chat_template: template }),
      bos_token: '<s>',
      eos_token: '</s>',
    };
  }

  async #complete(seen: SeenRequest, response: ServerResponse): Promise<void> {
    const isVllm = this.#options.kind === 'vllm';
    const { prompt, max_tokens: asked } = seen.body;
    const promptTokens = Array.isArray(prompt) ? prompt.map(Number) : this.#tokens.encode(String(prompt));
    const limit = typeof asked === 'number' && asked >= 0 ? asked : isVllm ? 16 : Infinity;
    if (promptTokens.length + (isVllm ? limit : 0) > this.#contextTokens)
      return this.#refuseAsTooLong(response, promptTokens.length, limit);
    if (seen.body['echo'] === true) return sendJson(response, 200, echoOf(promptTokens));
    const words = wordsOf(continuationOf(String(prompt), this.#options.reply ?? upstreamReply));
    const usage = (completion: number) => ({
      prompt_tokens: promptTokens.length,
      completion_tokens: completion,
      total_tokens: promptTokens.length + completion,
    });
    const timings = (n: number) => ({ cache_n: 1, prompt_n: promptTokens.length - 1, predicted_n: n });
    const finish = words.length > limit ? 'length' : 'stop';
    const perChunk = isVllm ? 2 : 1;
    const hasTotals = isRecord(seen.body['stream_options']) && seen.body['stream_options']['continuous_usage_stats'] === true;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const end = Math.min(words.length, limit);
    for (let place = 0; place < end; place += perChunk) {
      if (!(await this.#nextToken(response))) return;
      const last = Math.min(end, place + perChunk);
      const isEnd = isVllm && last === end;
      sendChunk(response, {
        choices: [{ index: 0, text: words.slice(place, last).join(''), finish_reason: isEnd ? finish : null }],
        ...(isVllm && hasTotals && { usage: usage(last) }),
        ...(seen.body['timings_per_token'] === true && { timings: timings(last) }),
      });
      seen.sentTokens = last;
    }
    if (!isVllm)
      sendChunk(response, { choices: [{ index: 0, text: '', finish_reason: finish }], usage: usage(end), timings: timings(end) });
    else sendChunk(response, { choices: [], usage: usage(end) });
    response.end('data: [DONE]\n\n');
  }

  async #chat(seen: SeenRequest, response: ServerResponse): Promise<void> {
    const { thoughts = 'reasoning_content', reply = upstreamReply } = this.#options;
    const [thought = '', answer = ''] = reply.split('</think>');
    const limit = Number(seen.body['max_tokens'] ?? Infinity);
    const parts = [
      ...(thoughts === 'tags' ? [{ content: '<think>' }] : []),
      ...wordsOf(thought).map((word) => deltaOf(thoughts, word)),
      ...(thoughts === 'tags' || thoughts === 'preopened' ? [{ content: '</think>' }] : []),
      ...wordsOf(answer.trimStart()).map((word) => ({ content: word })),
    ];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': the model is waking up\n\n');
    sendChunk(response, { choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] });
    for (const delta of parts.slice(0, limit)) {
      if (!(await this.#nextToken(response))) return;
      sendChunk(response, { choices: [{ index: 0, delta, finish_reason: null }] });
      seen.sentTokens += 1;
    }
    sendChunk(response, { choices: [{ index: 0, delta: {}, finish_reason: parts.length > limit ? 'length' : 'stop' }] });
    const completion = Math.min(parts.length, limit);
    const details = { completion_tokens_details: { reasoning_tokens: Math.min(completion, wordsOf(thought).length) } };
    sendChunk(response, {
      choices: [],
      usage: { prompt_tokens: 9, completion_tokens: completion, prompt_tokens_details: { cached_tokens: 4 }, ...details },
    });
    response.end('data: [DONE]\n\n');
  }

  /** false: the client is gone. */
  async #nextToken(response: ServerResponse): Promise<boolean> {
    await sleep(this.#options.tokenMs ?? 0);
    return !response.destroyed;
  }

  #refuseAsTooLong(response: ServerResponse, promptTokens: number, limit: number): void {
    const context = this.#contextTokens;
    if (this.#options.kind === 'llama-server') {
      const message = 'the request exceeds the available context size. try increasing the context size';
      return sendJson(response, 400, {
        error: { code: 400, message, type: 'exceed_context_size_error', n_prompt_tokens: promptTokens, n_ctx: context },
      });
    }
    const message = `This model's maximum context length is ${context} tokens. However, you requested ${promptTokens + limit} tokens (${promptTokens} in the messages, ${limit} in the completion).`;
    sendJson(response, 400, { object: 'error', message, type: 'BadRequestError', param: null, code: 400 });
  }
}

/** What the model says next: the rest of its thought, or its answer where the thought is closed. */
function continuationOf(prompt: string, reply: string): string {
  const [, answer = ''] = reply.split('</think>');
  const begun = prompt.slice(prompt.lastIndexOf('<think>')).replace(/^<think>\n?/, '');
  if (begun.includes('</think>')) return answer.trimStart();
  return reply.startsWith(begun) ? reply.slice(begun.length) : reply;
}

function deltaOf(thoughts: UpstreamServerOptions['thoughts'], word: string): Record<string, unknown> {
  if (thoughts === 'tags' || thoughts === 'preopened') return { content: word };
  if (thoughts === 'parts') return { content: [{ type: 'thinking', thinking: [{ type: 'text', text: word }] }] };
  return { [thoughts ?? 'reasoning_content']: word };
}

function echoOf(tokens: readonly number[]): Record<string, unknown> {
  const logprobs = tokens.map((_, index) => (index === 0 ? null : -(index % 3) - 0.5));
  return {
    choices: [
      { index: 0, text: '', finish_reason: 'length', logprobs: { token_logprobs: [...logprobs, -9], tokens: [], text_offset: [] } },
    ],
  };
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function sendChunk(response: ServerResponse, chunk: Record<string, unknown>): void {
  response.write(`data: ${JSON.stringify({ id: 'x', object: 'chunk', created: 1, model: 'small', ...chunk })}\n\n`);
}

function wordsOf(text: string): string[] {
  return text.match(/^\s+|\S+\s*/g) ?? [];
}
