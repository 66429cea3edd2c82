import { describe, expect, it } from 'vitest';
import { publicJson, publicText } from '../../../../src/train/publish/public-text.ts';

describe('publicText', () => {
  it.each([
    ['/srv/secret place/my base', 'my base'],
    ['/home/ann/.osler/cache/x', 'x'],
    ['../rows.jsonl', 'rows.jsonl'],
    ['./rows.jsonl', 'rows.jsonl'],
    ['~/rows.jsonl', 'rows.jsonl'],
    ['read /home/ann/.osler/runs/run-1/merged twice', 'read runs/run-1/merged twice'],
    ['unsloth/DeepSeek-R1-Distill-Llama-8B', 'unsloth/DeepSeek-R1-Distill-Llama-8B'],
    ['data/train/osler-medical-cot.jsonl', 'data/train/osler-medical-cot.jsonl'],
    ['1e-4', '1e-4'],
  ])('tells of %s no more than %s', (text, shown) => {
    expect(publicText(text, '/home/ann/.osler')).toBe(shown);
  });

  it('reaches every text of a JSON value', () => {
    expect(publicJson({ a: ['/x/y', 1, null], b: { c: 'd' } }, '/home')).toEqual({ a: ['y', 1, null], b: { c: 'd' } });
  });
});
