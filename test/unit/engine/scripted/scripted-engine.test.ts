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
});
