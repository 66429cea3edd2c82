import { inspect } from 'node:util';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UpstreamClient } from '../../../../src/engine/openai/upstream-client.ts';
import { defaultUpstreamTiming, type UpstreamTiming } from '../../../../src/engine/openai/upstream-timing.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type Intercept, sendJson, startUpstream, type UpstreamServer } from '../../../support/upstream-server.ts';

/** For what another process or socket does. */
const patiently = { timeout: 10_000 };

const secret = 'sk-of-this-test-0123456789';
const question = { path: '/completions', body: { prompt: 'a secret of a patient' } };

async function start(
  timing: Partial<UpstreamTiming> = {},
): Promise<{ upstream: UpstreamServer; client: UpstreamClient; troubles: () => number }> {
  const upstream = await startUpstream({ kind: 'llama-server' });
  onTestFinished(() => upstream.close());
  let troubles = 0;
  const client = new UpstreamClient({
    name: 'tuned',
    baseUrl: upstream.baseUrl,
    apiKey: secret,
    timing: { ...defaultUpstreamTiming, firstPauseMs: 1, ...timing },
    onTrouble: () => {
      troubles += 1;
    },
  });
  return { upstream, client, troubles: () => troubles };
}

/** All data of a stream in which the word "token" is one, and "end" the end. */
async function streamOf(client: UpstreamClient, signal = new AbortController().signal): Promise<string[]> {
  const stream = client.stream(question, {
    signal,
    read: (data) => data,
    isToken: (data) => data === 'token',
    isEnd: (data) => data === 'end',
  });
  return await Array.fromAsync(stream);
}

/** Answers every request with the next of these. */
function inTurn(...answers: ((response: ServerResponse) => void)[]): Intercept {
  return (_seen, response) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response);
    return true;
  };
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    sendJson(response, code, { error: { message: 'echo: a secret of a patient', code: 'some_code', param: 'top_k' } }, headers);
const stream =
  (...data: string[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(data.map((one) => `data: ${one}\n\n`).join(''));
  };
/** Sends data, then breaks the connection. */
const dying =
  (...data: string[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(data.map((one) => `data: ${one}\n\n`).join(''), () => response.destroy());
  };
const silent = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: token\n\n');
};

describe('UpstreamClient', () => {
  it.each([408, 429, 500, 502, 503])('tries again after %i, until it gets an answer', async (code) => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(status(code), status(code), stream('token', 'end', '[DONE]')));
    expect(await streamOf(client)).toEqual(['token', 'end']);
    expect(upstream.requests).toHaveLength(3);
  });

  it('gives up after its retries and says how often it tried', async () => {
    const { upstream, client, troubles } = await start({ retries: 2 });
    upstream.intercepts.push(inTurn(status(503)));
    const error = await errorOf(() => streamOf(client));
    expect(error).toMatchObject({ code: 'OSLER_ERR_UPSTREAM_FAILED', statusCode: 502 });
    expect(error.message).toContain('it answered 503, tried 3 times');
    expect(upstream.requests).toHaveLength(3);
    expect(troubles()).toBe(1);
  });

  it('waits as long as Retry-After asks', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(status(429, { 'retry-after': '1' }), stream('end')));
    const startedMs = performance.now();
    await streamOf(client);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(990);
  });

  it('gives up at once on a wait that is too long', async () => {
    const { upstream, client } = await start({ longestPauseMs: 1000 });
    upstream.intercepts.push(inTurn(status(429, { 'retry-after': '3600' })));
    expect((await errorOf(() => streamOf(client))).message).toContain('asks to wait 3600 s');
    expect(upstream.requests).toHaveLength(1);
  });

  it('tries again when the connection breaks before the first token', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn((response) => response.destroy(), dying('role'), stream('token', 'end')));
    expect(await streamOf(client)).toEqual(['role', 'token', 'end']);
  });

  it('never tries again after the first token', async () => {
    const { upstream, client, troubles } = await start();
    upstream.intercepts.push(inTurn(dying('token'), stream('token', 'end')));
    expect(await errorOf(() => streamOf(client))).toMatchObject({ code: 'OSLER_ERR_UPSTREAM_FAILED' });
    expect(upstream.requests).toHaveLength(1);
    expect(troubles()).toBe(1);
  });

  it('takes a stream that stops without its end for broken off', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(stream('token', '[DONE]')));
    expect((await errorOf(() => streamOf(client))).message).toContain('broke off');
  });

  it('fails clearly where nobody listens', async () => {
    const { upstream, client } = await start({ retries: 1 });
    await upstream.close();
    expect((await errorOf(() => streamOf(client))).message).toContain('the connection failed (ECONNREFUSED), tried 2 times');
  });

  it.each([400, 422])('passes on that the request is refused (%i), with names and without words', async (code) => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(status(code)));
    const error = await errorOf(() => streamOf(client));
    expect(error).toMatchObject({ code: 'OSLER_ERR_UPSTREAM_REFUSED', statusCode: 400 });
    expect(error.message).toContain(`it answered ${code}, code "some_code", param "top_k"`);
    expect(upstream.requests).toHaveLength(1);
  });

  it('tells a context that is too small from other refusals', async () => {
    const { upstream, client } = await start();
    const fault = { code: 400, type: 'exceed_context_size_error', message: 'too large', n_prompt_tokens: 9000, n_ctx: 4096 };
    upstream.intercepts.push(inTurn((response) => sendJson(response, 400, { error: fault })));
    const error = await errorOf(() => streamOf(client));
    expect(error.code).toBe('OSLER_ERR_REQUEST_TOO_LONG');
    expect(error.message).toContain('The prompt has 9000 tokens and the context of "tuned" holds 4096');
  });

  it.each([
    [
      "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8500 in the messages, 500 in the completion).",
      '8500',
      '8192',
    ],
    ["This model's maximum context length is 8192 tokens. However, your messages resulted in 9100 tokens.", '9100', '8192'],
    ['Too much. This model has a maximum context length, which you exceed.', 'too many', 'fewer'],
  ])('reads the numbers of a refusal in words: %s', async (message, promptTokens, contextTokens) => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn((response) => sendJson(response, 400, { object: 'error', message, code: 400 })));
    const error = await errorOf(() => streamOf(client));
    expect(error.message).toContain(`has ${promptTokens} tokens and the context of "tuned" holds ${contextTokens}.`);
  });

  it('follows no redirect, and sends its key to nobody else', async () => {
    const { upstream, client } = await start();
    const other = await startUpstream({ kind: 'hosted' });
    onTestFinished(() => other.close());
    upstream.intercepts.push(inTurn((response) => void response.writeHead(307, { location: `${other.baseUrl}/completions` }).end()));
    expect((await errorOf(() => streamOf(client))).message).toContain('redirect (307), which is not followed');
    expect(other.requests).toEqual([]);
  });

  it('says whose key is wrong, or that one is needed', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(status(401)));
    expect((await errorOf(() => client.ask({ path: '/models' }))).message).toContain(
      'does not accept the key of OSLER_UPSTREAM_KEYS (401)',
    );
    const anonymous = new UpstreamClient({ name: 'tuned', baseUrl: upstream.baseUrl, apiKey: null, timing: defaultUpstreamTiming });
    expect((await errorOf(() => anonymous.ask({ path: '/models' }))).message).toContain('asks for a key (401)');
    expect(upstream.requests.map((seen) => seen.authorization)).toEqual([`Bearer ${secret}`, undefined]);
  });

  it('shows neither its key nor a prompt or answer in any error, nor when it is printed', async () => {
    const { upstream, client } = await start({ retries: 0 });
    for (const code of [302, 400, 401, 403, 404, 429, 500]) {
      upstream.intercepts.splice(0, 1, inTurn(status(code)));
      const error = await errorOf(() => streamOf(client));
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/secret|sk-of/);
    }
    upstream.intercepts.splice(0, 1, inTurn(stream('{"a secret')));
    const broken = client.stream(question, {
      signal: new AbortController().signal,
      read: (data): unknown => JSON.parse(data),
      isToken: () => false,
      isEnd: () => false,
    });
    expect(inspect(await errorOf(() => Array.fromAsync(broken)), { depth: 9, showHidden: true })).not.toMatch(/secret|sk-of/);
    expect(inspect(client, { depth: 9, showHidden: true })).not.toContain(secret);
  });

  it('ends a request whose answer does not begin', async () => {
    const { upstream, client } = await start({ firstByteMs: 50 });
    upstream.intercepts.push(() => true);
    expect((await errorOf(() => streamOf(client))).message).toContain('nothing came for 0.05 s');
    expect(upstream.requests).toHaveLength(1);
  });

  it('ends an answer that falls silent', async () => {
    const { upstream, client } = await start({ idleMs: 50 });
    upstream.intercepts.push(inTurn(silent));
    expect((await errorOf(() => streamOf(client))).message).toContain('nothing came for 0.05 s');
  });

  it('takes comments for signs of life', async () => {
    const { upstream, client } = await start({ idleMs: 1000 });
    upstream.intercepts.push(async (_seen, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let beat = 0; beat < 12; beat += 1) {
        response.write(': alive\n\n');
        await sleep(100);
      }
      response.end('data: end\n\n');
      return true;
    });
    expect(await streamOf(client)).toEqual(['end']);
  });

  it('closes the connection when the caller gives up, and throws the caller’s reason', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(silent));
    const controller = new AbortController();
    const seen: string[] = [];
    const options = { signal: controller.signal, read: (data: string) => data, isToken: () => true, isEnd: () => false };
    await expect(async () => {
      for await (const data of client.stream(question, options)) {
        seen.push(data);
        controller.abort(new Error('no longer wanted'));
      }
    }).rejects.toThrow('no longer wanted');
    expect(seen).toEqual(['token']);
    await expect.poll(() => upstream.requests[0]?.isAborted, patiently).toBe(true);
  });

  it('closes the connection when the loop is left', async () => {
    const { upstream, client } = await start();
    upstream.intercepts.push(inTurn(silent));
    const { signal } = new AbortController();
    const stream = client.stream(question, { signal, read: (data) => data, isToken: () => true, isEnd: () => false });
    expect(await stream.next()).toEqual({ done: false, value: 'token' });
    await stream.return();
    await expect.poll(() => upstream.requests[0]?.isAborted, patiently).toBe(true);
  });

  it('stops waiting for the next try when the caller gives up', async () => {
    const { upstream, client } = await start();
    const controller = new AbortController();
    upstream.intercepts.push((_seen, response) => {
      status(503, { 'retry-after': '20' })(response);
      setTimeout(() => controller.abort(new Error('no longer wanted')), 20);
      return true;
    });
    await expect(streamOf(client, controller.signal)).rejects.toThrow('no longer wanted');
  });
});
