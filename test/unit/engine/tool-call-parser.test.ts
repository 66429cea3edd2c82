import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ToolCall, ToolCallParser, type ToolCallParserOptions } from '../../../src/engine/tool-call-parser.ts';

const names = ['get_weather', 'look_up'];

function parse(pieces: readonly string[], options: Partial<ToolCallParserOptions> = {}) {
  const parser = new ToolCallParser({ names, ...options });
  const steps = [...pieces.map((piece) => parser.push(piece)), parser.end()];
  return { content: steps.map((step) => step.content).join(''), calls: steps.flatMap((step) => step.calls) };
}

const paris: ToolCall = { name: 'get_weather', arguments: '{"city":"Paris"}' };
const hermes = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>';
const deepSeek =
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>look_up\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
const newDeepSeek =
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>';

const cases: [title: string, text: string, content: string, calls: ToolCall[]][] = [
  ['plain text', 'It is warm in Paris. ', 'It is warm in Paris. ', []],
  ['nothing', '', '', []],
  ['white space', ' \n', ' \n', []],
  ['Hermes’ and Qwen’s tags', hermes, '', [paris]],
  ['words before a call, without the white space between', `I will look.\n\n${hermes}`, 'I will look.', [paris]],
  ['two calls in a row', `${hermes}\n${hermes}\n`, '', [paris, paris]],
  ['words after a call', `${hermes}\n\nDone.`, 'Done.', [paris]],
  ['a call whose end is missing', hermes.replace('\n</tool_call>', ''), '', [paris]],
  [
    'arguments as text',
    '<tool_call>{"name":"look_up","arguments":"{\\"a\\":1}"}</tool_call>',
    '',
    [{ name: 'look_up', arguments: '{"a":1}' }],
  ],
  ['a call without arguments', '<tool_call>{"name":"look_up"}</tool_call>', '', [{ name: 'look_up', arguments: '{}' }]],
  [
    'a call that is no JSON, as text',
    'See <tool_call>get_weather(Paris)</tool_call> .',
    'See <tool_call>get_weather(Paris)</tool_call> .',
    [],
  ],
  ['a sound call after an unsound one', `<tool_call>oops ${hermes}`, '<tool_call>oops', [paris]],
  ['half a tag at the end', 'a <tool_ca', 'a <tool_ca', []],
  ['a tag that is not one', 'a <tool_box> b', 'a <tool_box> b', []],
  ['Llama’s JSON as the whole answer', ' {"name": "get_weather", "parameters": {"city": "Paris"}} ', '', [paris]],
  [
    'the same with its kind and tag',
    '<|python_tag|>{"type": "function", "name": "get_weather", "parameters": {"city": "Paris"}}',
    '',
    [paris],
  ],
  ['JSON of an unknown name, as text', '{"name": "Marie", "parameters": {}}', '{"name": "Marie", "parameters": {}}', []],
  [
    'JSON with words after it, as text',
    '{"name": "look_up", "parameters": {}} is how.',
    '{"name": "look_up", "parameters": {}} is how.',
    [],
  ],
  ['other JSON, as text', '{"answer": 42}', '{"answer": 42}', []],
  ['DeepSeek’s marks', deepSeek, '', [paris, { name: 'look_up', arguments: '{}' }]],
  ['DeepSeek’s newer marks', `Wait. ${newDeepSeek}`, 'Wait.', [paris]],
  [
    'a DeepSeek block without a call, as text',
    '<｜tool▁calls▁begin｜>x<｜tool▁calls▁end｜>',
    '<｜tool▁calls▁begin｜>x<｜tool▁calls▁end｜>',
    [],
  ],
];

describe('ToolCallParser', () => {
  it.each(cases)('reads %s', (_title, text, content, calls) => {
    expect(parse([text])).toEqual({ content, calls });
    expect(parse([...text])).toEqual({ content, calls });
  });

  it('gives the same however the text is cut', () => {
    const parts = fc.constantFrom(
      'a ',
      '\n\n',
      '<tool_call>',
      '</tool_call>',
      hermes,
      deepSeek,
      '{"name": "look_up", "parameters": {',
      '}}',
      '<｜tool',
      '▁calls▁begin｜>',
      '<|python_tag|>',
      '{',
      'Ж🙂',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (words, cuts) => {
        const text = words.join('');
        const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
        const pieces = [0, ...places].map((place, index, all) => text.slice(place, all[index + 1]));
        expect(parse(pieces)).toEqual(parse([text]));
      }),
      { numRuns: 500 },
    );
  });

  it('loses no text where there is no call', () => {
    const parts = fc.constantFrom(
      'a ',
      ' ',
      '<tool_call>',
      '</tool_call>',
      '{"name": "look_up", "parameters": {',
      '<｜tool▁calls▁begin｜>',
      'word',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (words) => {
        const { content, calls } = parse(words);
        expect(calls).toEqual([]);
        expect(content).toBe(words.join(''));
      }),
    );
  });

  it('holds back only what may become a call', () => {
    const parser = new ToolCallParser({ names });
    expect(parser.push('Two words ').content).toBe('Two words');
    expect(parser.push('and <').content).toBe(' and');
    expect(parser.push('b> {"name"').content).toBe(' <b> {"name"');
  });

  it('leaves a call as text whose arguments are nested too deep to be written again', () => {
    const text = `<tool_call>{"name": "get_weather", "arguments": {"x": ${'['.repeat(20_000)}${']'.repeat(20_000)}}}</tool_call>`;
    expect(parse([text])).toEqual({ content: text, calls: [] });
  });

  it('gives no more calls than it may', () => {
    expect(parse([`${hermes}${hermes} and on`], { maxCalls: 1 })).toEqual({ content: 'and on', calls: [paris] });
  });

  it('takes the whole answer as a call where a grammar made it so, and as text where it was cut off', () => {
    const text = '{"name": "get_weather", "arguments": {"city": "Paris"}}\n';
    expect(parse([...text], { isForced: true })).toEqual({ content: '', calls: [paris] });
    expect(parse([text.slice(0, 40)], { isForced: true })).toEqual({ content: text.slice(0, 40), calls: [] });
  });
});
