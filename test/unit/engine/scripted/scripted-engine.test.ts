import { describe, expect, it } from 'vitest';
import { ScriptedEngine } from '../../../../src/engine/scripted/scripted-engine.ts';
import { collect, describeEngineContract, requestOf, textOf } from '../../../contract/engine-contract.ts';

const reply = `${'I weigh the findings one by one. '.repeat(4)}</think>\n\nThe answer is B, because the others do not fit. ${'More. '.repeat(40)}`;

describe('ScriptedEngine', () => {
  const engine = new ScriptedEngine({ reply: () => reply });
  describeEngineContract(() => engine, 'A question.\n<think>\n');

  it('plays its script', async () => {
    const events = await collect(new ScriptedEngine({ reply: () => 'a thought</think>an answer' }), requestOf('q <think>'));
    expect(textOf(events, 'thought')).toBe('a thought');
    expect(textOf(events, 'answer')).toBe('an answer');
  });

  it('fails in the middle where the script says so', async () => {
    await expect(collect(new ScriptedEngine({ reply: () => reply, failAfterWords: 3 }), requestOf('q'))).rejects.toMatchObject({
      code: 'OSLER_ERR_ENGINE_FAILED',
    });
  });

  it('tells likely words and alternatives for the answer alone, where asked', async () => {
    const engine = new ScriptedEngine({ reply: () => 'a thought</think>\n\nan answer' });
    const told = (events: Awaited<ReturnType<typeof collect>>) =>
      events.flatMap((event) => (event.type === 'delta' ? (event.logprobs ?? []) : []));
    const tokens = told(await collect(engine, requestOf('q <think>', { topLogprobs: 2 })));
    expect(tokens.map((token) => token.text)).toEqual(['an ', 'answer']);
    for (const token of tokens) expect(token.top.map((other) => other.logprob)).toEqual([token.logprob, expect.any(Number)]);
    expect(told(await collect(engine, requestOf('q <think>')))).toEqual([]);
  });

  it('answers in the wanted form: the script’s, or an example', async () => {
    const grammar = { type: 'json-schema', schema: { type: 'object', properties: { a: { enum: ['yes', 'no'] } } } } as const;
    const scripts = [{}, { replyInForm: () => '{"a": "no"}' }];
    for (const [index, script] of scripts.entries()) {
      const events = await collect(
        new ScriptedEngine({ reply: () => 'a thought</think>\n\nwords', ...script }),
        requestOf('q <think>', { grammar }),
      );
      expect(textOf(events, 'thought')).toBe('a thought');
      expect(JSON.parse(textOf(events, 'answer'))).toEqual({ a: ['yes', 'no'][index] });
    }
  });

  it('cuts text into tokens and knows them again', async () => {
    const engine = new ScriptedEngine({ reply: () => '' });
    const tokens = await engine.tokenize('the gums, the gums');
    expect(tokens).toHaveLength(4);
    expect(await engine.detokenize(tokens)).toBe('the gums, the gums');
    await expect(engine.detokenize([99])).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_INVALID' });
  });
});
