import { describe, expect, it } from 'vitest';
import type { EngineEvent, GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { postChat, servedModel, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';
import { channelOf, chunksOf, CompletionOfMany, ErrorReply } from '../support/wire.ts';

const seedModel = (seen: GenerateRequest[] = []) =>
  servedModel(
    new ScriptedEngine({
      reply: (request) => {
        seen.push(request);
        return `thought ${request.seed}</think>\n\nanswer ${request.seed}`;
      },
    }),
  );

describe('n above 1', () => {
  it('gives so many choices, each with a seed of its own, and counts the prompt once', async () => {
    const seen: GenerateRequest[] = [];
    const service = await startService({ models: [seedModel(seen)] });
    const completion = CompletionOfMany.parse((await postChat(service, { n: 3, seed: 2 ** 32 - 1 })).json());
    expect(seen.map((request) => request.seed).toSorted((a, b) => a - b)).toEqual([0, 1, 2 ** 32 - 1]);
    expect(completion.choices.map((choice) => [choice.index, choice.message.content, choice.message.reasoning_content])).toEqual([
      [0, 'answer 4294967295', 'thought 4294967295'],
      [1, 'answer 0', 'thought 0'],
      [2, 'answer 1', 'thought 1'],
    ]);
    const one = (await postChat(service, { seed: 1 })).json().usage;
    expect(completion.usage.prompt_tokens).toBe(one.prompt_tokens);
    expect(completion.usage.completion_tokens).toBe(3 * one.completion_tokens);
    expect(completion.usage.completion_tokens_details.reasoning_tokens).toBe(3 * one.completion_tokens_details.reasoning_tokens);
    expect(completion.osler.choices.map((choice) => choice.seed)).toEqual([2 ** 32 - 1, 0, 1]);
  });

  it('streams them under one id, each chunk with its index, one role and one end each, one usage', async () => {
    const service = await startService({ models: [seedModel()] });
    const reply = await postChat(service, { n: 2, seed: 5, stream: true, stream_options: { include_usage: true } });
    const chunks = chunksOf(reply.body);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    for (const index of [0, 1]) {
      expect(channelOf(chunks, 'content', index)).toBe(`answer ${5 + index}`);
      expect(channelOf(chunks, 'reasoning_content', index)).toBe(`thought ${5 + index}`);
      const own = chunks.filter((chunk) => chunk.choices[0]?.index === index);
      expect(own[0]?.choices[0]?.delta).toEqual({ role: 'assistant' });
      expect(own.at(-1)).toMatchObject({ choices: [{ finish_reason: 'stop' }], osler: { seed: 5 + index } });
    }
    expect(chunks.filter((chunk) => chunk.usage !== null && chunk.usage !== undefined)).toHaveLength(1);
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(8);
  });

  it.each([false, true])('fails as a whole where one fails, and ends the others (stream: %s)', async (isStreamed) => {
    async function* play(request: GenerateRequest, signal: AbortSignal | undefined): AsyncGenerator<EngineEvent, void> {
      if (request.seed === 2) throw new Error('broke');
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      signal?.throwIfAborted();
      yield { type: 'delta', thought: '', answer: 'never', raw: 'never' };
    }
    const model = servedModel(new StubEngine(play));
    const service = await startService({ models: [model] });
    const reply = await postChat(service, { n: 3, seed: 1, stream: isStreamed });
    expect(reply.statusCode).toBe(500);
    expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_INTERNAL');
    await expect.poll(() => model.engine.load.running).toBe(0);
  });
});

describe('logprobs', () => {
  it('tell each token of the answer and its alternatives, none of the thought', async () => {
    const service = await startService();
    const [choice] = (await postChat(service, { logprobs: true, top_logprobs: 3 })).json().choices;
    const tokens = choice.logprobs.content;
    expect(tokens.map((token: { token: string }) => token.token).join('')).toBe('It is scurvy, from lack of vitamin C.');
    expect(tokens[2]).toMatchObject({
      token: 'scurvy, ',
      bytes: [...Buffer.from('scurvy, ')],
      top_logprobs: [{ token: 'scurvy, ' }, {}, {}],
    });
    expect(tokens[0].top_logprobs).toHaveLength(3);
  });

  it('come without alternatives where none are asked for, and not at all where not asked for', async () => {
    const service = await startService();
    const [some] = (await postChat(service, { logprobs: true })).json().choices;
    expect(some.logprobs.content[0].top_logprobs).toEqual([]);
    expect((await postChat(service)).json().choices[0].logprobs).toBeNull();
  });

  it('stream with the text they belong to', async () => {
    const service = await startService();
    const chunks = chunksOf((await postChat(service, { logprobs: true, stream: true })).body);
    const told = chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    expect(told.map((token) => token.token).join('')).toBe(channelOf(chunks, 'content'));
    for (const chunk of chunks) if ('reasoning_content' in (chunk.choices[0]?.delta ?? {})) expect(chunk.choices[0]?.logprobs).toBeNull();
  });

  it('and a bias reach the engine', async () => {
    const seen: GenerateRequest[] = [];
    const service = await startService({ models: [seedModel(seen)] });
    await postChat(service, { logprobs: true, top_logprobs: 5, logit_bias: { '50256': -100, '7': 2.5 } });
    await postChat(service, { logit_bias: {} });
    expect(seen[0]).toMatchObject({ topLogprobs: 5, logitBias: { '50256': -100, '7': 2.5 } });
    expect(seen[1]).not.toHaveProperty('logitBias');
    expect(seen[1]).not.toHaveProperty('topLogprobs');
  });
});
