import { describe, expect, it, onTestFinished } from 'vitest';
import type { GenerateRequest } from '../../../../src/engine/engine.ts';
import { createMessagesTemplate } from '../../../../src/engine/openai/messages-template.ts';
import { OpenAiEngine } from '../../../../src/engine/openai/openai-engine.ts';
import { collect, requestOf, textOf } from '../../../contract/engine-contract.ts';
import { errorOf } from '../../../support/error-of.ts';
import { sendChunk, startUpstream, type UpstreamServer, type UpstreamServerOptions } from '../../../support/upstream-server.ts';

/** For what another process or socket does. */
const patiently = { timeout: 10_000 };

const reply = 'I weigh the signs.\n</think>\n\nIt is scurvy.';
const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Which deficiency?' },
] as const;

async function open(options: Partial<UpstreamServerOptions> = {}): Promise<{ upstream: UpstreamServer; engine: OpenAiEngine }> {
  const upstream = await startUpstream({ kind: 'hosted', reply, ...options });
  const engine = new OpenAiEngine({
    name: 'hosted',
    ref: { baseUrl: upstream.baseUrl, model: 'small', kind: null },
    apiKey: null,
    slots: 2,
    maxWaiting: 2,
    contextTokens: 2048,
    timing: { firstPauseMs: 1 },
  });
  onTestFinished(async () => {
    await engine.close();
    await upstream.close();
  });
  await engine.ready();
  return { upstream, engine };
}

/** A chat as the server hands it on. */
function chatOf(changes: Partial<GenerateRequest> = {}, isThoughtPreopened = false): GenerateRequest {
  const prompt = createMessagesTemplate('hosted', { isThoughtPreopened }).render(messages);
  return requestOf(prompt.text, { ...prompt, maxTokens: null, chat: { messages }, ...changes });
}

function chatBodyOf(upstream: UpstreamServer): Readonly<Record<string, unknown>> {
  return upstream.requests.find((seen) => seen.path === '/v1/chat/completions')?.body ?? {};
}

function finishOf(events: Awaited<ReturnType<typeof collect>>) {
  const finish = events.at(-1);
  if (finish?.type !== 'finish') throw new Error('the last event is no finish');
  return finish;
}

describe('OpenAiEngine over chat', () => {
  it.each(['reasoning_content', 'reasoning', 'parts', 'tags'] as const)(
    'separates the thought of an upstream that sends it as %s',
    async (thoughts) => {
      const { engine } = await open({ thoughts });
      const events = await collect(engine, chatOf());
      expect(textOf(events, 'thought')).toBe('I weigh the signs.');
      expect(textOf(events, 'answer')).toBe('It is scurvy.');
      expect(events.filter((event) => event.type === 'thought-closed')).toEqual([{ type: 'thought-closed', how: 'model' }]);
      expect(finishOf(events).rawText.replaceAll(/\s/g, '')).toBe('<think>Iweighthesigns.</think>Itisscurvy.');
      const raw = events.map((event) => (event.type === 'delta' ? event.raw : '')).join('');
      expect(finishOf(events).rawText).toBe(raw);
    },
  );

  it('separates a thought that the upstream’s template opened, where the operator says so', async () => {
    const { engine } = await open({ thoughts: 'preopened' });
    const events = await collect(engine, chatOf({}, true));
    expect(textOf(events, 'thought')).toBe('I weigh the signs.');
    expect(textOf(events, 'answer')).toBe('It is scurvy.');
  });

  it('does not guess that a thought was opened where nobody said so', async () => {
    const { engine } = await open({ thoughts: 'preopened' });
    const events = await collect(engine, chatOf());
    expect(textOf(events, 'thought')).toBe('');
    expect(textOf(events, 'answer')).toContain('</think>');
  });

  it('keeps a tag that the thought of a separating upstream speaks of', async () => {
    const { upstream, engine } = await open();
    upstream.intercepts.push((seen, response) => {
      if (seen.path !== '/v1/chat/completions') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      sendChunk(response, { choices: [{ index: 0, delta: { reasoning_content: 'The tag </think> ends it. ' } }] });
      sendChunk(response, {
        choices: [{ index: 0, delta: { reasoning_content: 'Done.', content: 'Use </think>.' }, finish_reason: 'stop' }],
      });
      response.end();
      return true;
    });
    const events = await collect(engine, chatOf());
    expect(textOf(events, 'thought')).toBe('The tag </think> ends it. Done.');
    expect(textOf(events, 'answer')).toBe('Use </think>.');
  });

  it('gives an answer without a thought as it is', async () => {
    const { engine } = await open({ reply: '</think>Only an answer.', thoughts: 'reasoning_content' });
    const events = await collect(engine, chatOf());
    expect(textOf(events, 'answer')).toBe('Only an answer.');
    expect(events.some((event) => event.type === 'thought-closed')).toBe(false);
  });

  it('sends the messages as they are, and OpenAI’s own parameters only', async () => {
    const { upstream, engine } = await open();
    await collect(engine, chatOf({ maxTokens: 50, stop: ['never'] }));
    expect(chatBodyOf(upstream)).toEqual({
      model: 'small',
      messages,
      max_tokens: 50,
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.6,
      top_p: 0.95,
      seed: 7,
    });
  });

  it('takes usage from the upstream, its reasoning tokens too', async () => {
    const { engine } = await open();
    expect(finishOf(await collect(engine, chatOf())).usage).toEqual({
      promptTokens: 9,
      cachedTokens: 4,
      completionTokens: 7,
      reasoningTokens: 4,
    });
  });

  it('reports a thought that ran out of tokens as never closed, with an empty answer', async () => {
    const { engine } = await open();
    const events = await collect(engine, chatOf({ maxTokens: 2 }));
    expect(textOf(events, 'answer')).toBe('');
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('never');
    expect(finishOf(events)).toMatchObject({ reason: 'length', usage: { completionTokens: 2, reasoningTokens: 2 } });
  });

  it('stops at a stop string and lets the upstream go', async () => {
    const { upstream, engine } = await open({ tokenMs: 2, reply: `${reply}${' And more.'.repeat(50)}` });
    const events = await collect(engine, chatOf({ stop: ['scurvy'] }));
    expect(textOf(events, 'answer')).toBe('It is ');
    const seen = upstream.requests.find((request) => request.path === '/v1/chat/completions');
    await expect.poll(() => seen?.isAborted, patiently).toBe(true);
    expect(finishOf(events).usage.promptTokens).toBeGreaterThan(5);
  });

  it('passes a word of effort on, and refuses a budget by name', async () => {
    const { upstream, engine } = await open();
    await collect(engine, chatOf({ thinkingBudgetTokens: 512, chat: { messages, reasoningEffort: 'low' } }));
    expect(chatBodyOf(upstream)).toMatchObject({ reasoning_effort: 'low' });
    expect(chatBodyOf(upstream)).not.toHaveProperty('thinking_budget_tokens');
    const error = await errorOf(() => collect(engine, chatOf({ thinkingBudgetTokens: 512 })));
    expect(error.code).toBe('OSLER_ERR_REQUEST_UNSUPPORTED');
    expect(error.message).toContain('"thinking_budget_tokens"');
  });

  it('refuses template variables by name where it cannot know that they are understood', async () => {
    const hosted = await open();
    const variables = { messages, templateVariables: { enable_thinking: false } };
    expect((await errorOf(() => collect(hosted.engine, chatOf({ chat: variables })))).message).toContain('"enable_thinking"');
    const vllm = await open({ kind: 'vllm' });
    await collect(vllm.engine, chatOf({ chat: variables }));
    expect(chatBodyOf(vllm.upstream)).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
  });

  it('passes a form for the answer on', async () => {
    const { upstream, engine } = await open();
    const schema = { type: 'object' };
    await collect(engine, chatOf({ grammar: { type: 'json-schema', schema } }));
    expect(chatBodyOf(upstream)).toMatchObject({ response_format: { type: 'json_schema', json_schema: { schema } } });
    expect((await errorOf(() => collect(engine, chatOf({ grammar: { type: 'gbnf', text: 'root ::= "a"' } })))).message).toContain(
      '"grammar"',
    );
  });

  it('refuses a bare prompt, for which there is no route', async () => {
    const { engine } = await open();
    expect((await errorOf(() => collect(engine, requestOf('a prompt')))).message).toContain('"prompt"');
  });

  it('fails on an error in the stream, and tells nothing of its text', async () => {
    const { upstream, engine } = await open();
    upstream.intercepts.push((seen, response) => {
      if (seen.path !== '/v1/chat/completions') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      sendChunk(response, { choices: [{ index: 0, delta: { content: 'It' } }] });
      response.end('event: error\ndata: {"error": {"message": "patient X", "code": "overloaded"}}\n\n');
      return true;
    });
    const error = await errorOf(() => collect(engine, chatOf()));
    expect(error).toMatchObject({ code: 'OSLER_ERR_UPSTREAM_FAILED', statusCode: 502 });
    expect(error.message).toContain('code "overloaded"');
    expect(error.message).not.toContain('patient');
  });
});

describe('createMessagesTemplate', () => {
  it('names the same text for the same messages and shows how the thought begins', () => {
    const plain = createMessagesTemplate('a', { isThoughtPreopened: false });
    expect(plain.render(messages)).toMatchObject({ isThoughtPreopened: false, isThinkingEnabled: true });
    expect(plain.render(messages, { isThinkingEnabled: false })).toMatchObject({ isThinkingEnabled: false });
    expect(plain.render(messages, { mustDecideThought: true })).toMatchObject({ isThoughtPreopened: false });
    expect(createMessagesTemplate('b', { isThoughtPreopened: true }).render(messages).isThoughtPreopened).toBe(true);
    expect(plain.render(messages).text).toContain('Which deficiency?');
  });
});
