import { describe, expect, it, onTestFinished } from 'vitest';
import { openContext } from '../../src/cli/context.ts';
import { openModel } from '../../src/cli/open-model.ts';
import { Reporter } from '../../src/cli/progress.ts';
import { isMessagesTemplate } from '../../src/engine/openai/messages-template.ts';
import type { ServedModel } from '../../src/server/served-model.ts';
import { errorOf } from '../support/error-of.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { testConfig } from '../support/test-home.ts';
import { sendJson, startUpstream, upstreamTemplate, type UpstreamServer, type UpstreamServerOptions } from '../support/upstream-server.ts';
import { chatBody, postChat, startService } from './support/service.ts';

const reply = 'I weigh the signs.\n</think>\n\nIt is scurvy, from lack of vitamin C.';
const secret = 'sk-of-this-test-0123456789';

async function upstreamOf(options: UpstreamServerOptions): Promise<UpstreamServer> {
  const upstream = await startUpstream({ reply, ...options });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** Opens a model as `osler serve --model tuned=REF` does. */
async function open(ref: string, options: { keys?: Record<string, string>; templateSource?: string } = {}): Promise<ServedModel> {
  const config = { ...testConfig(temporaryFolder()), upstreamKeys: options.keys ?? {} };
  const { model } = await openModel(
    openContext(config),
    {
      name: 'tuned',
      ref,
      templateFile: null,
      slots: 2,
      contextTokens: 4096,
      maxWaiting: 2,
      ...(options.templateSource !== undefined && { templateSource: options.templateSource }),
    },
    new Reporter({ isTerminal: false, write: () => undefined }),
  );
  onTestFinished(() => model.engine.close());
  return model;
}

function bodyOf(upstream: UpstreamServer, path: string): Readonly<Record<string, unknown>> {
  return upstream.requests.findLast((seen) => seen.path === path)?.body ?? {};
}

describe('a model behind an upstream, served', () => {
  it('renders prompts with the template that a llama-server tells', async () => {
    const upstream = await upstreamOf({ kind: 'llama-server' });
    const model = await open(`openai:${upstream.baseUrl}`);
    expect(model.template.source).toBe(upstreamTemplate);
    // Two slots, and two places to wait for them.
    expect(model.capacity).toBe(4);
    const service = await startService({ models: [model] });
    const response = await postChat(service);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      choices: [
        { message: { content: 'It is scurvy, from lack of vitamin C.', reasoning_content: 'I weigh the signs.' }, finish_reason: 'stop' },
      ],
    });
    expect(bodyOf(upstream, '/v1/completions')).toMatchObject({ prompt: 'user: Which deficiency causes scurvy?\n<think>\n' });
  });

  it('sends messages to a hosted service, with the key of its host, and separates the thought', async () => {
    const upstream = await upstreamOf({ kind: 'hosted', thoughts: 'tags', key: secret });
    const model = await open(`openai:${upstream.baseUrl}#small`, {
      keys: { [new URL(upstream.origin).host]: secret, 'other.example': 'x' },
    });
    expect(isMessagesTemplate(model.template.source)).toBe(true);
    const service = await startService({ models: [model] });
    const response = await postChat(service, { reasoning_effort: 'low' });
    expect(response.json()).toMatchObject({
      choices: [{ message: { content: 'It is scurvy, from lack of vitamin C.', reasoning_content: 'I weigh the signs.' } }],
    });
    expect(bodyOf(upstream, '/v1/chat/completions')).toMatchObject({ messages: chatBody()['messages'], reasoning_effort: 'low' });
    const models = await service.app.inject('/v1/models');
    expect(models.json()).toMatchObject({ data: [{ id: 'tuned', osler: { weights_sha256: null, state: 'ready' } }] });
    expect(service.log() + models.body + response.body).not.toContain(secret);
  });

  it('writes tools as text for an upstream that is sent messages', async () => {
    const upstream = await upstreamOf({ kind: 'hosted' });
    const service = await startService({ models: [await open(`openai:${upstream.baseUrl}#small`)] });
    await postChat(service, { tools: [{ type: 'function', function: { name: 'find_dose', parameters: { type: 'object' } } }] });
    expect(JSON.stringify(bodyOf(upstream, '/v1/chat/completions')['messages'])).toContain('find_dose');
  });

  it('takes the operator’s word for what the upstream is', async () => {
    const upstream = await upstreamOf({ kind: 'llama-server' });
    const model = await open(`openai:${upstream.baseUrl}?mode=chat&thought=open`);
    const service = await startService({ models: [model] });
    await postChat(service);
    expect(bodyOf(upstream, '/v1/chat/completions')).toMatchObject({ messages: chatBody()['messages'] });
  });

  it('keeps its own way where another arm’s template has none to share', async () => {
    const upstream = await upstreamOf({ kind: 'hosted' });
    const hosted = await open(`openai:${upstream.baseUrl}#small`);
    const local = await upstreamOf({ kind: 'llama-server' });
    expect((await open(`openai:${local.baseUrl}`, { templateSource: hosted.template.source })).template.source).toBe(upstreamTemplate);
    expect((await open(`openai:${local.baseUrl}`, { templateSource: 'own {{ messages[0].content }}' })).template.source).toMatch(/^own/);
  });

  it('names another fingerprint for another upstream', async () => {
    const [one, two] = [await upstreamOf({ kind: 'hosted' }), await upstreamOf({ kind: 'hosted' })];
    const service = await startService({
      models: [
        { ...(await open(`openai:${one.baseUrl}#small`)), name: 'one' },
        { ...(await open(`openai:${two.baseUrl}#small`)), name: 'two' },
      ],
    });
    const list: { data: { osler: { fingerprint: string } }[] } = (await service.app.inject('/v1/models')).json();
    expect(new Set(list.data.map(({ osler }) => osler.fingerprint)).size).toBe(2);
  });

  it('answers 502 with a code where the upstream fails, and keeps the prompt out of answer and log', async () => {
    const upstream = await upstreamOf({ kind: 'hosted' });
    const service = await startService({ models: [await open(`openai:${upstream.baseUrl}#small`)] });
    upstream.intercepts.push((seen, response) => {
      if (seen.path !== '/v1/chat/completions') return false;
      sendJson(response, 401, { error: { message: JSON.stringify(seen.body) } });
      return true;
    });
    const response = await postChat(service, { messages: [{ role: 'user', content: 'A patient of name Xanthippe.' }] });
    expect(response.statusCode).toBe(502);
    expect(response.json()).toMatchObject({ error: { code: 'OSLER_ERR_UPSTREAM_FAILED' } });
    expect(response.body + service.log()).not.toContain('Xanthippe');
  });

  it('is not ready while its upstream is away', async () => {
    const upstream = await upstreamOf({ kind: 'llama-server' });
    const model = await open(`openai:${upstream.baseUrl}`);
    const service = await startService({ models: [model] });
    expect((await service.app.inject('/readyz')).statusCode).toBe(200);
    upstream.intercepts.push((_seen, response) => {
      sendJson(response, 503, {}, { 'retry-after': '3600' });
      return true;
    });
    expect((await postChat(service)).statusCode).toBe(502);
    await expect.poll(async () => (await service.app.inject('/readyz')).statusCode, { timeout: 10_000 }).toBe(503);
    expect((await postChat(service)).json()).toMatchObject({ error: { code: 'OSLER_ERR_ENGINE_NOT_READY' } });
  });

  it('says at the start what is wrong with a reference or a key', async () => {
    const upstream = await upstreamOf({ kind: 'hosted', key: secret });
    expect((await errorOf(() => open('openai:ftp://nowhere'))).code).toBe('OSLER_ERR_USAGE');
    const error = await errorOf(() => open(`openai:${upstream.baseUrl}#small`));
    expect(error.code).toBe('OSLER_ERR_ENGINE_LOAD');
    expect(error.message).toContain('it asks for a key (401): set OSLER_UPSTREAM_KEYS');
  });
});
