import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readModelFlags } from '../../../src/cli/model-flags.ts';

const flagsOf = (changes: Partial<Parameters<typeof readModelFlags>[0]>): Parameters<typeof readModelFlags>[0] => ({
  model: ['base=smollm2'],
  template: [],
  adapter: [],
  ...changes,
});

describe('readModelFlags', () => {
  it('puts each adapter and template with its model', () => {
    const plans = readModelFlags(
      flagsOf({
        model: ['base=smollm2', 'other=a/b'],
        template: ['other=t.jinja'],
        adapter: ['tuned=base:lora.gguf', 'half=base:C:x.gguf@0.5'],
      }),
    );
    expect(plans).toEqual([
      {
        name: 'base',
        ref: 'smollm2',
        templateFile: null,
        adapters: [
          { name: 'tuned', adapter: { file: path.resolve('lora.gguf'), scale: 1 } },
          { name: 'half', adapter: { file: path.resolve('C:x.gguf'), scale: 0.5 } },
        ],
      },
      { name: 'other', ref: 'a/b', templateFile: 't.jinja', adapters: [] },
    ]);
  });

  it('keeps "=" in a reference', () => {
    expect(readModelFlags(flagsOf({ model: ['up=openai:http://h/v1?mode=chat#m'] }))[0]?.ref).toBe('openai:http://h/v1?mode=chat#m');
  });

  it.each([
    ['no model', { model: [] }, /no model to serve/],
    ['a name twice', { model: ['a=x', 'a=y'] }, /names "a" twice/],
    ['a model without a name', { model: ['smollm2'] }, /not of the form name=value/],
    ['a template for nobody', { template: ['x=t.jinja'] }, /no --model of that name/],
    ['an adapter for nobody', { adapter: ['tuned=nobody:a.gguf'] }, /is for "nobody"/],
    ['an adapter with a model’s name', { adapter: ['base=base:a.gguf'] }, /name of a --model/],
    ['an adapter without a file', { adapter: ['tuned=base'] }, /name=base:file/],
    ['an adapter of no strength', { adapter: ['tuned=base:a.gguf@0'] }, /scale above 0/],
  ])('refuses %s', (_what, changes, message) => {
    expect(() => readModelFlags(flagsOf(changes))).toThrow(message);
  });
});
