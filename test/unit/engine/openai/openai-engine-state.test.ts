import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OpenAiEngine, type OpenAiEngineOptions } from '../../../../src/engine/openai/openai-engine.ts';
import { collect, requestOf, textOf } from '../../../contract/engine-contract.ts';
import { errorOf } from '../../../support/error-of.ts';
import {
  sendJson,
  startUpstream,
  type UpstreamServer,
  type UpstreamServerOptions,
  upstreamTemplate,
} from '../../../support/upstream-server.ts';

/** For what another process or socket does. */
const patiently = { timeout: 10_000 };

const quick = { firstPauseMs: 5, longestPauseMs: 50, retries: 1, startMs: 3000 };

function engineAt(baseUrl: string, options: Partial<OpenAiEngineOptions> = {}): OpenAiEngine {
  const engine = new OpenAiEngine({
    name: 'tuned',
    ref: { baseUrl, model: null, kind: null },
    apiKey: null,
    slots: 2,
    maxWaiting: 1,
    contextTokens: 2048,
    ...options,
    timing: { ...quick, ...options.timing },
  });
  onTestFinished(() => engine.close());
  return engine;
}

async function upstreamOf(options: Partial<UpstreamServerOptions> = {}): Promise<UpstreamServer> {
  const upstream = await startUpstream({ kind: 'llama-server', ...options });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** Fails the first `count` requests of a route; gives how many of them are left. */
function failFirst(upstream: UpstreamServer, route: string, count: number, status: number): { count: number } {
  const left = { count };
  upstream.intercepts.unshift((seen, response) => {
    if (seen.path !== route || left.count <= 0) return false;
    left.count -= 1;
    sendJson(response, status, { error: { message: 'Loading model', code: status } });
    return true;
  });
  return left;
}

/** An engine that was ready and sees its upstream answer 502 to everything, by the last of the upstream's intercepts. */
async function lostEngine(upstream: UpstreamServer): Promise<OpenAiEngine> {
  const engine = engineAt(upstream.baseUrl, { timing: { checkMs: 20 } });
  await engine.ready();
  upstream.intercepts.push((_seen, response) => {
    sendJson(response, 502, {});
    return true;
  });
  await expect.poll(() => engine.state.name, patiently).toBe('restarting');
  return engine;
}

describe('state of OpenAiEngine', () => {
  it('waits at the start until the upstream has loaded its model', async () => {
    const upstream = await upstreamOf();
    let refusals = 0;
    upstream.intercepts.push((_seen, response) => {
      refusals += 1;
      if (refusals <= 3) sendJson(response, 503, { error: { message: 'Loading model', code: 503 } });
      return refusals <= 3;
    });
    const engine = engineAt(upstream.baseUrl);
    expect(engine.state.name).toBe('loading');
    await expect(collect(engine, requestOf('q'))).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_NOT_READY' });
    await engine.ready();
    expect(engine.state.name).toBe('ready');
  });

  it('fails where the upstream does not come in time', async () => {
    const upstream = await upstreamOf();
    await upstream.close();
    const engine = engineAt(upstream.baseUrl, { timing: { startMs: 100 } });
    const error = await errorOf(() => engine.ready());
    expect(error.code).toBe('OSLER_ERR_ENGINE_LOAD');
    expect(error.message).toContain('the connection failed (ECONNREFUSED)');
    expect(engine.state.name).toBe('failed');
  });

  it('fails at once on a wrong key, without waiting and without showing it', async () => {
    const upstream = await upstreamOf({ key: 'the-right-key' });
    const engine = engineAt(upstream.baseUrl, { apiKey: 'the-wrong-key', timing: { startMs: 60_000 } });
    const error = await errorOf(() => engine.ready());
    expect(error.message).toContain('does not accept the key');
    for (const thing of [error, engine, engine.state])
      expect(inspect(thing, { depth: 9, showHidden: true })).not.toContain('the-wrong-key');
  });

  it('sends its key with everything', async () => {
    const upstream = await upstreamOf({ key: 'the-right-key' });
    const engine = engineAt(upstream.baseUrl, { apiKey: 'the-right-key' });
    await engine.ready();
    await collect(engine, requestOf('q <think>', { maxTokens: 2 }));
    for (const seen of upstream.requests) expect(seen.authorization).toBe('Bearer the-right-key');
  });

  it('asks for a name where the upstream has several models, and names them', async () => {
    const upstream = await upstreamOf();
    upstream.intercepts.push((seen, response) => {
      if (seen.path === '/v1/models') sendJson(response, 200, { data: [{ id: 'one' }, { id: 'two' }] });
      return seen.path === '/v1/models';
    });
    expect((await errorOf(() => engineAt(upstream.baseUrl).ready())).message).toContain('it serves 2 models; name one after "#": one, two');
  });

  it('fails where the upstream does not have the model', async () => {
    const upstream = await upstreamOf({ kind: 'vllm', model: 'other' });
    const engine = engineAt(upstream.baseUrl, { ref: { baseUrl: upstream.baseUrl, model: 'wanted', kind: null } });
    expect((await errorOf(() => engine.ready())).message).toContain('it has no model "wanted"; it has: other');
  });

  it('does without a list of models where one is named', async () => {
    const upstream = await upstreamOf({ kind: 'hosted' });
    upstream.intercepts.push((seen, response) => {
      if (seen.path === '/v1/models') sendJson(response, 404, {});
      return seen.path === '/v1/models';
    });
    const engine = engineAt(upstream.baseUrl, { ref: { baseUrl: upstream.baseUrl, model: 'small', kind: null } });
    expect(await engine.ready()).toMatchObject({ contextTokens: 2048, device: expect.stringMatching(/^upstream at 127/) });
  });

  it('notices between requests that the upstream is gone, refuses meanwhile, and serves again once it is back', async () => {
    const upstream = await upstreamOf();
    const engine = engineAt(upstream.baseUrl, { timing: { checkMs: 20 } });
    await engine.ready();
    await upstream.close();
    await expect.poll(() => engine.state.name, patiently).toBe('restarting');
    await expect(collect(engine, requestOf('q'))).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_NOT_READY' });
    const back = engine.ready();
    await upstreamOf({ port: upstream.port });
    await back;
    expect(engine.state.name).toBe('ready');
    expect(engine.load.restarts).toBe(1);
    expect(textOf(await collect(engine, requestOf('q <think>', { maxTokens: 4 })), 'thought')).not.toBe('');
  });

  it('looks at once when a request was given up', async () => {
    const upstream = await upstreamOf();
    const engine = engineAt(upstream.baseUrl, { timing: { checkMs: 3_600_000 } });
    await engine.ready();
    await upstream.close();
    expect(await errorOf(() => collect(engine, requestOf('q <think>')))).toMatchObject({ code: 'OSLER_ERR_UPSTREAM_FAILED' });
    await expect.poll(() => engine.state.name, patiently).toBe('restarting');
  });

  it('stays ready where the upstream refuses the look but is there', async () => {
    const upstream = await upstreamOf();
    const engine = engineAt(upstream.baseUrl, { timing: { checkMs: 10 } });
    await engine.ready();
    let looks = 0;
    upstream.intercepts.push((seen, response) => {
      looks += 1;
      sendJson(response, 429, {});
      return seen.path !== '';
    });
    await expect.poll(() => looks, patiently).toBeGreaterThan(2);
    expect(engine.state.name).toBe('ready');
  });

  it('fails where the upstream comes back with another template, since prompts would be rendered wrongly', async () => {
    const upstream = await upstreamOf();
    const engine = await lostEngine(upstream);
    upstream.intercepts.splice(0, 1, (seen, response) => {
      if (seen.path === '/props') sendJson(response, 200, { chat_template: '{{ messages[0].content }}' });
      return seen.path === '/props';
    });
    await expect
      .poll(() => engine.state, patiently)
      .toMatchObject({ name: 'failed', reason: expect.stringContaining('another chat template') });
  });

  it.each([429, 503])('waits at the start for the template of an upstream that lists its model and answers %i', async (status) => {
    const upstream = await upstreamOf();
    failFirst(upstream, '/props', 3, status);
    const engine = engineAt(upstream.baseUrl);
    expect(await engine.describe()).toMatchObject({ templateSource: upstreamTemplate });
  });

  it('serves again where the upstream came back and listed its model before it had loaded it', async () => {
    const upstream = await upstreamOf();
    const engine = await lostEngine(upstream);
    const left = failFirst(upstream, '/props', 3, 503);
    upstream.intercepts.pop();
    await expect.poll(() => left.count, patiently).toBe(0);
    await expect.poll(() => engine.state, patiently).toEqual({ name: 'ready' });
  });

  it('asks again for a template that did not come in time', async () => {
    const upstream = await upstreamOf();
    let isFirst = true;
    upstream.intercepts.push((seen) => {
      if (seen.path !== '/props') return false;
      const isSilent = isFirst;
      isFirst = false;
      return isSilent;
    });
    expect(await engineAt(upstream.baseUrl, { timing: { askMs: 100 } }).describe()).toMatchObject({ templateSource: upstreamTemplate });
  });

  it.each([404, 405, 501])('sends messages where the upstream has no route to tell its template (%i)', async (status) => {
    const upstream = await upstreamOf();
    failFirst(upstream, '/props', 1, status);
    expect(await engineAt(upstream.baseUrl).describe()).toMatchObject({ kind: 'llama-server', templateSource: null });
  });

  it('sends messages where the upstream answers without a template', async () => {
    const upstream = await upstreamOf({ template: null });
    expect(await engineAt(upstream.baseUrl).describe()).toMatchObject({ templateSource: null });
  });

  it('fails at once, naming the route, where the upstream refuses to tell', async () => {
    const upstream = await upstreamOf();
    failFirst(upstream, '/props', 1, 403);
    expect((await errorOf(() => engineAt(upstream.baseUrl).ready())).message).toContain('(403): set OSLER_UPSTREAM_KEYS, at /props');
  });

  it.each(['/tokenize', '/detokenize', '/v1/embeddings'])('does not take a passing failure of %s for having none', async (route) => {
    const upstream = await upstreamOf();
    upstream.intercepts.push((seen, response) => {
      if (seen.path === '/v1/embeddings') sendJson(response, 200, { data: [{ index: 0, embedding: [3, 4] }] });
      return seen.path === '/v1/embeddings';
    });
    failFirst(upstream, route, 3, 503);
    const engine = engineAt(upstream.baseUrl);
    expect(await engine.ready()).toMatchObject({ embeddingSize: 2 });
    expect(await engine.describe()).toMatchObject({ addedBos: '<s>', closeTokens: 2, tokenizer: expect.anything() });
  });

  it.each([400, 403, 404, 500, 501])('does without what the upstream refuses for good (%i)', async (status) => {
    const upstream = await upstreamOf();
    for (const route of ['/tokenize', '/v1/embeddings']) failFirst(upstream, route, Infinity, status);
    expect(await engineAt(upstream.baseUrl).describe()).toMatchObject({ tokenizer: null, addedBos: '', embeddingSize: null });
  });

  it('is closed and not ready when it is closed while the upstream is asked', async () => {
    const upstream = await upstreamOf();
    upstream.intercepts.push((seen) => seen.path === '/v1/embeddings');
    const engine = engineAt(upstream.baseUrl);
    const ready = errorOf(() => engine.ready());
    await expect.poll(() => upstream.requests.at(-1)?.path, patiently).toBe('/v1/embeddings');
    await engine.close();
    expect((await ready).message).toContain('the engine was closed');
    await expect.poll(() => upstream.requests.at(-1)?.isAborted, patiently).toBe(true);
    expect(engine.state.name).toBe('closed');
  });

  it('takes so many requests at once, keeps so many waiting, and refuses the next', async () => {
    const upstream = await upstreamOf({ tokenMs: 5 });
    const engine = engineAt(upstream.baseUrl);
    await engine.ready();
    const controller = new AbortController();
    const request = requestOf('q <think>', { maxTokens: 1000 });
    const running = [1, 2, 3].map((seed) => collect(engine, { ...request, seed }, controller.signal));
    const ended = Promise.allSettled(running);
    await expect.poll(() => engine.load, patiently).toEqual({ running: 2, waiting: 1, restarts: 0, occupancy: 1 });
    const error = await errorOf(() => collect(engine, request));
    expect(error).toMatchObject({ code: 'OSLER_ERR_QUEUE_FULL', statusCode: 503 });
    expect(upstream.requests.filter((seen) => seen.path === '/v1/completions').length).toBeLessThanOrEqual(2);
    controller.abort();
    await ended;
    expect(engine.load).toMatchObject({ running: 0, waiting: 0 });
  });

  it('ends its requests when it is closed', async () => {
    const upstream = await upstreamOf({ tokenMs: 5 });
    const engine = engineAt(upstream.baseUrl);
    await engine.ready();
    const running = errorOf(() => collect(engine, requestOf('q <think>', { maxTokens: 1000 })));
    await expect.poll(() => upstream.requests.at(-1)?.sentTokens, patiently).toBeGreaterThan(1);
    await engine.close();
    expect((await running).message).toContain('the engine was closed');
    const seen = upstream.requests.findLast((request) => request.path === '/v1/completions');
    await expect.poll(() => seen?.isAborted, patiently).toBe(true);
    expect(engine.state.name).toBe('closed');
  });

  it('makes embeddings of unit length, in the order of the texts', async () => {
    const upstream = await upstreamOf();
    upstream.intercepts.push((seen, response) => {
      if (seen.path !== '/v1/embeddings') return false;
      const data = [
        { index: 1, embedding: [0, 2] },
        { index: 0, embedding: [3, 4] },
      ];
      sendJson(response, 200, { data: Array.isArray(seen.body['input']) ? data : data.slice(1), usage: { prompt_tokens: 5 } });
      return true;
    });
    const engine = engineAt(upstream.baseUrl);
    expect((await engine.ready()).embeddingSize).toBe(2);
    expect(await engine.embed(['a', 'b'])).toEqual({
      vectors: [
        [0.6, 0.8],
        [0, 1],
      ],
      tokens: 5,
    });
  });

  it('embeds in turn with other requests, refuses one too many, and stops when the client gives up', async () => {
    const upstream = await upstreamOf();
    upstream.intercepts.push((seen, response) => {
      if (seen.path !== '/v1/embeddings') return false;
      const isProbe = !Array.isArray(seen.body['input']);
      if (isProbe) sendJson(response, 200, { data: [{ index: 0, embedding: [3, 4] }] });
      return true;
    });
    const engine = engineAt(upstream.baseUrl, { slots: 1, maxWaiting: 1 });
    await engine.ready();
    const [first, second] = [new AbortController(), new AbortController()];
    const running = expect(engine.embed(['a'], first.signal)).rejects.toThrow('gone');
    await expect.poll(() => engine.load, patiently).toMatchObject({ running: 1, waiting: 0 });
    const waiting = expect(engine.embed(['b'], second.signal)).rejects.toThrow('no longer wanted');
    await expect.poll(() => engine.load, patiently).toMatchObject({ running: 1, waiting: 1 });
    expect(await errorOf(() => engine.embed(['c']))).toMatchObject({ code: 'OSLER_ERR_QUEUE_FULL', statusCode: 503 });
    second.abort(new Error('no longer wanted'));
    await waiting;
    await expect.poll(() => upstream.requests.at(-1)?.body['input'], patiently).toEqual(['a']);
    first.abort(new Error('gone'));
    await running;
    await expect.poll(() => upstream.requests.at(-1)?.isAborted, patiently).toBe(true);
    expect(engine.load).toMatchObject({ running: 0, waiting: 0 });
  });

  it('refuses embeddings by name where the upstream makes none', async () => {
    const upstream = await upstreamOf();
    const engine = engineAt(upstream.baseUrl);
    await engine.ready();
    await expect(engine.embed(['a'])).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
  });
});
