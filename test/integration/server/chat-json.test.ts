import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { plainReply, postChat, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { Completion } from '../support/wire.ts';

/** What every message has, whatever it says. */
const noFrills = { role: 'assistant', refusal: null, annotations: [] };

async function complete(service: Service, changes: Record<string, unknown> = {}) {
  const reply = await postChat(service, changes);
  expect(reply.statusCode, reply.body).toBe(200);
  return Completion.parse(reply.json());
}

async function serveReply(reply: string) {
  const seen: GenerateRequest[] = [];
  return { service: await startService({ models: [scriptedModel({ reply, seen })] }), seen };
}

describe('POST /v1/chat/completions, whole', () => {
  it('gives the thought apart from the answer, with usage that counts the thought', async () => {
    const completion = await complete(await startService());
    const [choice] = completion.choices;
    expect(choice.message).toEqual({
      ...noFrills,
      content: 'It is scurvy, from lack of vitamin C.',
      reasoning_content: 'I weigh the signs.',
    });
    expect(choice.finish_reason).toBe('stop');
    const { usage } = completion;
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    // Words of the script: four of the thought and the closing tag, then eight of the answer.
    expect(usage.completion_tokens).toBe(13);
    expect(usage.completion_tokens_details.reasoning_tokens).toBe(5);
    expect(completion.osler.thought_closed).toBe('model');
  });

  it('leaves reasoning_content out where there was no thought', async () => {
    const { service } = await serveReply('Just the answer.');
    const [choice] = (await complete(service, { enable_thinking: false })).choices;
    expect(choice.message).toEqual({ ...noFrills, content: 'Just the answer.' });
  });

  it('never rescues an unclosed thought into the answer', async () => {
    const { service } = await serveReply('I think and think and think.');
    const completion = await complete(service);
    expect(completion.choices[0].message).toMatchObject({ content: '', reasoning_content: 'I think and think and think.' });
    expect(completion.osler.thought_closed).toBe('never');
  });

  it('echoes the seed it was given, and draws and tells another where none was', async () => {
    const { service, seen } = await serveReply(plainReply);
    expect((await complete(service, { seed: 4242 })).osler.seed).toBe(4242);
    expect(seen[0]?.seed).toBe(4242);
    const drawn = [await complete(service), await complete(service)].map((completion) => completion.osler.seed);
    expect(drawn).toEqual(seen.slice(1).map((request) => request.seed));
    expect(drawn[0]).not.toBe(drawn[1]);
  });

  it('fingerprints weights and template, so that base is never taken for tuned', async () => {
    const engine = new ScriptedEngine({ reply: () => plainReply });
    const models = [
      servedModel(engine, { name: 'base' }),
      servedModel(engine, { name: 'twin' }),
      servedModel(engine, { name: 'tuned', weightsDigest: 'b'.repeat(64) }),
      servedModel(engine, { name: 'templated', source: '{% for m in messages %}{{ m.content }}{% endfor %}<think>\n' }),
    ];
    const service = await startService({ models });
    const prints: string[] = [];
    for (const { name } of models) prints.push((await complete(service, { model: name })).system_fingerprint);
    expect(prints[1]).toBe(prints[0]);
    expect(new Set(prints).size).toBe(3);
  });

  it('accepts fields it does not know, text parts, the developer role and null for defaults', async () => {
    const { service, seen } = await serveReply(plainReply);
    await complete(service, {
      messages: [
        { role: 'developer', content: 'Speak as a cardiologist.', name: 'me' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is ' },
            { type: 'text', text: 'an S4 gallop?' },
          ],
        },
      ],
      store: false,
      metadata: { a: 1 },
      service_tier: 'auto',
      modalities: ['text'],
      safety_identifier: 'x',
      prompt_cache_key: 'y',
      a_field_of_next_year: { on: true },
      temperature: null,
      max_tokens: null,
      stop: null,
      n: 1,
      tools: [],
      tool_choice: 'auto',
      logprobs: false,
      response_format: { type: 'text' },
    });
    expect(seen[0]?.prompt).toContain('Speak as a cardiologist.');
    expect(seen[0]?.prompt).toContain('What is an S4 gallop?');
  });

  it('hands sampling and limits on as they were asked, and R1’s advice where they were not', async () => {
    const { service, seen } = await serveReply(plainReply);
    await complete(service, {
      temperature: 0,
      top_p: 0.5,
      top_k: 40,
      min_p: 0.1,
      repeat_penalty: 1.1,
      max_completion_tokens: 100,
      max_tokens: 7,
    });
    await complete(service);
    await complete(service, { repetition_penalty: 1.2 });
    expect(seen[2]?.sampling.repeatPenalty).toBe(1.2);
    expect(seen[0]).toMatchObject({ maxTokens: 100, sampling: { temperature: 0, topP: 0.5, topK: 40, minP: 0.1, repeatPenalty: 1.1 } });
    expect(seen[1]).toMatchObject({ maxTokens: null, sampling: { temperature: 0.6, topP: 0.95, topK: 0, minP: 0, repeatPenalty: 1 } });
  });

  it('ends with length at max_tokens, inside the thought too', async () => {
    const completion = await complete(await startService(), { max_tokens: 3 });
    expect(completion.choices[0].finish_reason).toBe('length');
    expect(completion.choices[0].message).toMatchObject({ content: '', reasoning_content: 'I weigh the' });
    expect(completion.usage.completion_tokens).toBe(3);
  });

  it('closes the thought at thinking_budget_tokens and says so', async () => {
    const { service } = await serveReply(`${'and so on '.repeat(30)}</think>\n\nThe answer is B.`);
    const completion = await complete(service, { thinking_budget_tokens: 4 });
    expect(completion.osler.thought_closed).toBe('budget');
    expect(completion.choices[0].message).toMatchObject({ content: 'The answer is B.', reasoning_content: 'and so on and' });
    // Four of the thought and the tag that was forced.
    expect(completion.usage.completion_tokens_details.reasoning_tokens).toBe(5);
  });

  it.each([
    ['minimal', 128],
    ['low', 512],
    ['medium', 2048],
    ['high', 8192],
    ['xhigh', null],
  ])('takes reasoning_effort %s as a thinking budget of %s', async (effort, budget) => {
    const { service, seen } = await serveReply(plainReply);
    await complete(service, { reasoning_effort: effort });
    expect(seen[0]?.thinkingBudgetTokens).toBe(budget);
  });

  it('applies stop strings to the answer only, unless stop_scope is all', async () => {
    const { service } = await serveReply('First HALT then on.</think>\n\nOne two HALT three.');
    const [content] = (await complete(service, { stop: 'HALT' })).choices;
    expect(content).toMatchObject({ finish_reason: 'stop', message: { content: 'One two ', reasoning_content: 'First HALT then on.' } });
    const [all] = (await complete(service, { stop: ['never', 'HALT'], stop_scope: 'all' })).choices;
    expect(all).toMatchObject({ finish_reason: 'stop', message: { content: '', reasoning_content: 'First' } });
  });

  it.each([{ enable_thinking: false }, { reasoning_effort: 'none' }])(
    'switches the thought off with %j where the template can',
    async (off) => {
      const { service, seen } = await serveReply('An answer, </think> included.');
      const completion = await complete(service, off);
      expect(seen[0]).toMatchObject({ isThinkingEnabled: false, isThoughtPreopened: false });
      expect(seen[0]?.prompt).toMatch(/<think>\s*<\/think>\s*$/);
      expect(completion.choices[0].message).toEqual({ ...noFrills, content: 'An answer, </think> included.' });
      expect(completion.osler.thought_closed).toBe('none');
      expect(completion.usage.completion_tokens_details.reasoning_tokens).toBe(0);
    },
  );

  it('tells the thought as reasoning, too, where that is asked for', async () => {
    const [{ message }] = (await complete(await startService(), { reasoning_alias: true })).choices;
    expect(message).toMatchObject({ reasoning_content: 'I weigh the signs.', reasoning: 'I weigh the signs.' });
    expect((await complete(await startService())).choices[0].message).not.toHaveProperty('reasoning');
  });

  it('hands variables of the template on', async () => {
    const engine = new ScriptedEngine({ reply: (request) => request.prompt });
    const source =
      '{{ style }}: {% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking is false %}<think></think>{% endif %}';
    const service = await startService({ models: [servedModel(engine, { source })] });
    const [{ message }] = (await complete(service, { chat_template_kwargs: { style: 'brief', enable_thinking: false } })).choices;
    expect(message.content).toBe('brief: Which deficiency causes scurvy?<think></think>');
  });

  it('gives the raw text with the tag put back for reasoning_format none, whatever its layout', async () => {
    for (const reply of [plainReply, ' spaced\n\n</think>tight', 'x</think> ', 'never closed ', 'a</think>\n\nb</think>c']) {
      const { service } = await serveReply(reply);
      const [{ message }] = (await complete(service, { reasoning_format: 'none' })).choices;
      expect(message).toEqual({ ...noFrills, content: `<think>\n${reply}` });
    }
  });

  it('puts back the tag as the template wrote it, and none where the template opened none', async () => {
    const engine = new ScriptedEngine({ reply: () => plainReply });
    const source = '{% for m in messages %}{{ m.content }}{% endfor %}';
    const service = await startService({
      models: [servedModel(engine, { name: 'tight', source: `${source}<think>` }), servedModel(engine, { name: 'plain', source })],
    });
    const contentOf = async (model: string) => (await complete(service, { model, reasoning_format: 'none' })).choices[0].message.content;
    expect(await contentOf('tight')).toBe(`<think>${plainReply}`);
    expect(await contentOf('plain')).toBe(plainReply);
  });

  it('drops past thoughts from the prompt, wherever they stand, and keeps them on request', async () => {
    const { service, seen } = await serveReply(plainReply);
    const messages = [
      { role: 'user', content: 'First?' },
      { role: 'assistant', content: '<think>\ninline thought\n</think>\n\nFirst answer.' },
      { role: 'user', content: 'Second?' },
      { role: 'assistant', content: 'Second answer.', reasoning_content: 'separate thought' },
      { role: 'user', content: 'Third?' },
      { role: 'assistant', content: 'Third answer.', reasoning: 'thought of other servers' },
      { role: 'user', content: 'Fourth?' },
    ];
    await complete(service, { messages });
    await complete(service, { messages, preserve_reasoning: true });
    const thoughts = ['inline thought', 'separate thought', 'thought of other servers'];
    for (const text of ['First answer.', 'Second answer.', 'Third answer.', 'Fourth?']) expect(seen[0]?.prompt).toContain(text);
    for (const text of thoughts) expect(seen[0]?.prompt).not.toContain(text);
    expect(seen[0]?.prompt.match(/<think>/g)).toHaveLength(1);
    for (const text of thoughts) expect(seen[1]?.prompt).toContain(`<think>\n${text}\n</think>\n\n`);
  });

  it('answers several requests at once, each with its own text', async () => {
    const engine = new ScriptedEngine({ wordMs: 1, reply: (request) => `t</think>\n\nseed ${request.seed}` });
    const service = await startService({ models: [servedModel(engine)] });
    const all = await Promise.all([1, 2, 3, 4, 5].map((seed) => complete(service, { seed })));
    expect(all.map((completion) => completion.choices[0].message.content)).toEqual([1, 2, 3, 4, 5].map((seed) => `seed ${seed}`));
    expect(new Set(all.map((completion) => completion.id)).size).toBe(5);
  });
});
