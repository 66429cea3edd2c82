import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import { ChatTemplate, readThoughtState } from '../../../src/engine/chat-template.ts';
import { errorOf } from '../../support/error-of.ts';
import { readProjectTemplate } from '../../support/project-template.ts';
import { hasShared, sharedFolder } from '../../support/shared-folder.ts';

const question = { role: 'user', content: 'What is gout?' } as const;
const templateOf = (source: string): ChatTemplate => new ChatTemplate({ owner: 'tuned', source, bosToken: '<s>', eosToken: '</s>' });

describe('readThoughtState', () => {
  it.each([
    ['Q\n<think>', true, true],
    ['Q\n<think>\n', true, true],
    ['Q\n<think> \n\n', true, true],
    ['Q\n<think></think>', false, false],
    ['Q\n<think>\n\n</think>\n\n', false, false],
    ['Q\n', false, true],
    ['', false, true],
    ['Q\n<think>\nReason.\n</think>\n\n', false, true],
    ['Q </think>', false, true],
    ['<think></think> Q\nAssistant:', false, true],
    ['Q\n<THINK>\n', false, true],
    ['Q\n<think>x', false, true],
  ])('%j leaves the thought open: %s, thinking on: %s', (prompt, isThoughtPreopened, isThinkingEnabled) => {
    expect(readThoughtState(prompt)).toEqual({ isThoughtPreopened, isThinkingEnabled });
  });

  it('goes by the tags that it is given', () => {
    const tags = { open: '[T]', close: '[/T]' };
    expect(readThoughtState('Q [T]\n', tags).isThoughtPreopened).toBe(true);
    expect(readThoughtState('Q [T][/T]', tags).isThinkingEnabled).toBe(false);
    expect(readThoughtState('Q <think>', tags).isThoughtPreopened).toBe(false);
  });
});

describe('the project’s template', () => {
  const template = templateOf(readProjectTemplate());
  const head =
    'Below is an instruction, followed by a question as its input. Write a response that answers the question completely.\nBefore answering, think about the question step by step, so that the answer rests on sound reasoning.\n\n### Instruction:\n';
  const instruction =
    'You are a medical expert with advanced knowledge of clinical reasoning, diagnostics and treatment planning.\nAnswer the medical question below.';

  it('renders a question to exactly this prompt, which ends in an open thought', () => {
    expect(template.render([question])).toEqual({
      text: `<s>${head}${instruction}\n\n### Question:\nWhat is gout?\n\n### Response:\n<think>\n`,
      isThoughtPreopened: true,
      isThinkingEnabled: true,
    });
  });

  it('puts a system message in place of the instruction and ends past turns with the end token', () => {
    const messages = [
      { role: 'system' as const, content: 'Be brief.' },
      question,
      { role: 'assistant' as const, content: 'A crystal arthritis.' },
      { role: 'user' as const, content: 'Treatment?' },
    ];
    expect(template.render(messages).text).toBe(
      `<s>${head}Be brief.\n\n### Question:\nWhat is gout?\n\n### Response:\nA crystal arthritis.</s>\n\n### Question:\nTreatment?\n\n### Response:\n<think>\n`,
    );
  });

  it('writes a past turn’s thought where it was kept', () => {
    const messages = [question, { role: 'assistant' as const, content: 'Urate.', reasoning_content: 'Crystals.' }, question];
    expect(template.render(messages).text).toContain('### Response:\n<think>\nCrystals.\n</think>\n\nUrate.</s>');
  });

  it('closes the thought where thinking is off', () => {
    const prompt = template.render([question], { isThinkingEnabled: false });
    expect(prompt.text.endsWith('### Response:\n<think>\n\n</think>\n\n')).toBe(true);
    expect(prompt).toMatchObject({ isThoughtPreopened: false, isThinkingEnabled: false });
    expect(template.render([question], { isThinkingEnabled: true })).toEqual(template.render([question]));
  });

  it('renders what a user writes as text, tags and template code included', () => {
    const content = 'Is {{ bos_token }} {% if x %} or <think> a word?';
    expect(template.render([{ role: 'user', content }]).text).toContain(`### Question:\n${content}\n\n`);
  });
});

const realTemplate = 'data/templates/deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja';

describe.skipIf(!hasShared(realTemplate))(`../shared/${realTemplate} (skipped where the file is missing)`, () => {
  const template = hasShared(realTemplate) ? templateOf(readFileSync(path.join(sharedFolder, realTemplate), 'utf8')) : undefined;

  it('ends in an open thought', () => {
    expect(template?.render([{ role: 'system', content: 'Be brief.' }, question])).toEqual({
      text: '<s>Be brief.<｜User｜>What is gout?<｜Assistant｜><think>\n',
      isThoughtPreopened: true,
      isThinkingEnabled: true,
    });
  });

  it('cannot turn thinking off, and the prompt says so', () => {
    expect(template?.render([question], { isThinkingEnabled: false }).isThoughtPreopened).toBe(true);
  });
});

describe('ChatTemplate', () => {
  it.each([
    ['an unclosed tag', '{% if messages %}'],
    ['an expression without an end', '{{ messages'],
  ])('refuses %s with the model’s name and the next step', async (_title, source) => {
    const error = await errorOf(() => templateOf(source));
    expect(error.code).toBe('OSLER_ERR_MODEL_TEMPLATE');
    expect(error.message).toMatch(/^The chat template of "tuned" cannot be rendered: .+--template NAME=FILE\.$/s);
  });

  it('turns a template’s own refusal into the same error', async () => {
    const error = await errorOf(() => templateOf("{{ raise_exception('Roles must alternate') }}").render([question]));
    expect(error.code).toBe('OSLER_ERR_MODEL_TEMPLATE');
    expect(error.message).toContain('Roles must alternate');
  });

  it('turns a failure while rendering into the same error', async () => {
    expect((await errorOf(() => templateOf('{{ nothing.of.this.kind() }}').render([question]))).code).toBe('OSLER_ERR_MODEL_TEMPLATE');
  });

  it('does not let variables of a request replace messages and tokens', () => {
    const source = '{{ bos_token }}{{ messages[0].content }}{{ extra }}{{ add_generation_prompt }}';
    const variables = { extra: '!', bos_token: 'X', messages: [], add_generation_prompt: false };
    expect(templateOf(source).render([question], { variables }).text).toBe('<s>What is gout?!true');
    const withTools = templateOf('{{ messages[0].content }}{% if tools %} with tools{% endif %}');
    expect(withTools.render([question], { variables: { tools: [{ name: 'f' }] } }).text).toBe('What is gout?');
  });

  it('is known by the digest of its text', () => {
    expect(templateOf('a').digest).toBe(sha256('a'));
    expect(templateOf('a').source).toBe('a');
  });
});

describe('tools in a template', () => {
  const tool = { type: 'function', function: { name: 'dose', parameters: { type: 'object' } } } as const;
  const call = { id: 'call-1', type: 'function', function: { name: 'dose', arguments: { drug: 'x' } } } as const;
  const messages = [
    question,
    { role: 'assistant' as const, content: null, tool_calls: [call] },
    { role: 'tool' as const, content: '5 mg' },
  ];

  it.each([
    ['encodes them', '{{ c.function.arguments | tojson }}', '{"drug": "x"}'],
    ['goes through them', '{% for k, v in c.function.arguments | items %}{{ k }}:{{ v }}{% endfor %}', 'drug:x'],
    ['writes them as they are', "{{ '```' + c.function.arguments + '```' }}", '```{"drug":"x"}```'],
  ])('come with their arguments as the template wants them: it %s', (_title, expression, written) => {
    const source = `{% if tools %}T{% endif %}{% for m in messages %}{% for c in m.tool_calls or [] %}${expression}{% endfor %}{% endfor %}`;
    expect(templateOf(source).render(messages, { tools: [tool] }).text).toBe(`T${written}`);
  });

  it('are no variable where there are none', () => {
    expect(templateOf('{% if tools is defined %}T{% endif %}-').render([question]).text).toBe('-');
  });

  it('are text for a template that has no word for them, which the results of two calls share as one turn', () => {
    const template = templateOf('{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}');
    expect(template.rendersTools).toBe(false);
    const { text } = template.render([{ role: 'system', content: 'Be brief.' }, ...messages, { role: 'tool', content: '6 mg' }], {
      tools: [tool],
    });
    expect(text).toMatch(/^<system>Be brief\.\n\nYou may call functions/);
    expect(text).toContain('{"type":"function","function":{"name":"dose","parameters":{"type":"object"}}}');
    expect(text).toContain(
      '<assistant><tool_call>\n{"name":"dose","arguments":{"drug":"x"}}\n</tool_call><user><tool_response>\n5 mg\n</tool_response>\n<tool_response>\n6 mg\n</tool_response>',
    );
    expect(text.match(/<user>/g)).toHaveLength(2);
  });
});

describe('mustDecideThought', () => {
  it.each([
    ['a template that knows the tag and leaves it to the model', 'Q{# <think> #}', 'Q<think>\n', true, true],
    ['one that does not know it', 'Q', 'Q', false, false],
    ['one that opens the thought', 'Q<think>', 'Q<think>', true, true],
    ['one that closes it', 'Q<think></think>', 'Q<think></think>', false, false],
  ])('decides for %s', (_title, source, text, isThoughtPreopened, isThinkingEnabled) => {
    expect(templateOf(source).render([question], { mustDecideThought: true })).toEqual({ text, isThoughtPreopened, isThinkingEnabled });
  });
});
