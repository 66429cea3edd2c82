import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { type ModelfileOptions, writeModelfile } from '../../../../src/train/export/modelfile.ts';
import type { TurnMessage } from '../../../../src/train/export/turn-template.ts';
import { chats, turnTemplates } from '../../../support/chat-templates.ts';
import { renderGoTemplate } from '../../../support/go-template.ts';
import { ollamaValues, parseModelfile } from '../../../support/ollama.ts';
import { readProjectTemplate } from '../../../support/project-template.ts';

const tokens = { bosToken: '<｜begin▁of▁sentence｜>', eosToken: '<｜end▁of▁sentence｜>' };

function modelfile(changes: Partial<ModelfileOptions> = {}, contents: Partial<ModelfileOptions['contents']> = {}) {
  const { text, notices } = writeModelfile({
    name: 'DeepSeek-R1-Medical-COT',
    runId: 'run-1',
    ggufFile: 'merged-q4_k_m.gguf',
    template: readProjectTemplate(),
    contents: { ...tokens, addsBos: true, addsEos: false, ...contents },
    contextTokens: 2048,
    licence: null,
    ...changes,
  });
  const commands = parseModelfile(text);
  const valuesOf = (name: string): string[] => commands.flatMap((command) => (command.name === name ? [command.value] : []));
  return { text, notices, valuesOf, template: valuesOf('TEMPLATE')[0] ?? '' };
}

function renderJinja(source: string, messages: readonly TurnMessage[], variables: Record<string, unknown> = {}): string {
  return new Template(source).render({
    messages: messages.map((message) => ({ ...message })),
    bos_token: tokens.bosToken,
    eos_token: tokens.eosToken,
    add_generation_prompt: true,
    ...variables,
  });
}

describe.each(Object.entries(turnTemplates))('the TEMPLATE of a template %s', (_name, source) => {
  it('renders every chat as the template does, where the tokenizer adds no BOS', () => {
    const { template, notices } = modelfile({ template: source }, { addsBos: false });
    expect(notices).toEqual([]);
    for (const messages of chats) {
      expect(renderGoTemplate(template, ollamaValues(messages))).toBe(renderJinja(source, messages));
      expect(renderGoTemplate(template, ollamaValues(messages, true))).toBe(renderJinja(source, messages));
      expect(renderGoTemplate(template, ollamaValues(messages, false))).toBe(renderJinja(source, messages, { enable_thinking: false }));
    }
  });

  it('leaves the BOS to a tokenizer that adds it, so that there is one, or says why it cannot', () => {
    const { template, notices } = modelfile({ template: source }, { addsBos: true });
    for (const messages of chats) {
      const expected = renderJinja(source, messages);
      if (expected.startsWith(tokens.bosToken)) expect(tokens.bosToken + renderGoTemplate(template, ollamaValues(messages))).toBe(expected);
      else expect(notices.join()).toContain('puts a first token before every prompt, and the template has none');
    }
  });
});

describe('writeModelfile', () => {
  it('names file, sampling, context and stop, and nothing that the template does not ask for', () => {
    const { valuesOf, text } = modelfile();
    expect(valuesOf('FROM')).toEqual(['./merged-q4_k_m.gguf']);
    expect(valuesOf('PARAMETER')).toEqual(['temperature 0.6', 'top_p 0.95', 'num_ctx 2048', 'stop "<｜end▁of▁sentence｜>"']);
    expect(valuesOf('SYSTEM')).toEqual([]);
    expect(valuesOf('LICENSE')).toEqual([]);
    expect(text).toContain('not a medical device');
  });

  it('carries the licence where it is known', () => {
    expect(modelfile({ licence: 'MIT, on Llama 3.1' }).valuesOf('LICENSE')).toEqual(['MIT, on Llama 3.1']);
  });

  it('names the tags of a thought where Ollama looks for them', () => {
    // It takes the first and the last text beside the action, trimmed.
    expect(modelfile().template).toMatch(/\{\{ if \.Thinking \}\}<think>\n\{\{ \.Thinking \}\}\n<\/think>\n\n\{\{ end \}\}/);
  });

  it.each([
    [
      'puts the system message into the first question',
      "{{ bos_token }}{% for m in messages if m.role != 'system' %}[INST] {% if loop.first and messages[0].role == 'system' %}{{ messages[0].content }}\n{% endif %}{{ m.content }} [/INST]{% endfor %}",
      /another form|render/,
    ],
    ['writes the date', '{{ bos_token }}{{ strftime_now("%d %b") }}{% for m in messages %}{{ m.content }}{% endfor %}', /date of the day/],
    [
      'numbers its turns',
      '{{ bos_token }}{% for m in messages %}{{ loop.index }}: {{ m.content }}\n{% endfor %}',
      /another form|otherwise/,
    ],
    ['repeats the question', '{{ bos_token }}{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}', /once and in order/],
    [
      'refuses earlier turns',
      "{{ bos_token }}{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}{{ messages[0].content }}",
      /one turn only/,
    ],
    ['is no template', '{% for %}', /cannot be rendered/],
  ])('passes prompts on as they are where a template %s, and says why and what to do', (_name, source, reason) => {
    const { template, notices, text } = modelfile({ template: source });
    expect(template).toBe('{{ .Prompt }}');
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(reason);
    expect(notices[0]).toContain('"raw": true, without "<｜begin▁of▁sentence｜>" at its beginning');
    expect(text).toContain(`# ${notices[0] ?? ''}\n`);
  });

  it.each([
    [{ addsBos: null }, 'does not say whether it adds its first token'],
    [{ addsEos: true }, 'puts its end token after every prompt'],
  ])('writes no template for a tokenizer with %j', (contents, reason) => {
    const { template, notices } = modelfile({}, contents);
    expect(template).toBe('{{ .Prompt }}');
    expect(notices.join()).toContain(reason);
  });

  it('tells of white space that the template would have removed', () => {
    const source =
      '{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
    expect(modelfile({ template: source }).notices.join()).toContain('without white space around messages');
  });
});
