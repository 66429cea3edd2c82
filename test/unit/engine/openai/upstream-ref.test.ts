import { describe, expect, it } from 'vitest';
import { isUpstreamRef, parseUpstreamRef } from '../../../../src/engine/openai/upstream-ref.ts';

describe('parseUpstreamRef', () => {
  it('reads address and model', () => {
    expect(parseUpstreamRef('openai:https://api.example.com/v1/#org/model:free')).toEqual({
      baseUrl: 'https://api.example.com/v1',
      host: 'api.example.com',
      model: 'org/model:free',
      mode: 'auto',
      isThoughtPreopened: false,
      kind: null,
    });
  });

  it('takes /v1 for granted and keeps any other path', () => {
    expect(parseUpstreamRef('openai:http://10.0.0.5:8000')).toMatchObject({
      baseUrl: 'http://10.0.0.5:8000/v1',
      host: '10.0.0.5:8000',
      model: null,
    });
    expect(parseUpstreamRef('openai:https://h.example/api/openai/v1').baseUrl).toBe('https://h.example/api/openai/v1');
  });

  it('reads its options', () => {
    expect(parseUpstreamRef('openai:http://h/v1?mode=chat&thought=open&server=vllm#m')).toMatchObject({
      mode: 'chat',
      isThoughtPreopened: true,
      kind: 'vllm',
      model: 'm',
    });
  });

  it.each([
    ['openai:ftp://h/v1', 'is no upstream'],
    ['openai:not a url', 'is no upstream'],
    ['openai:http://h/v1?mod=chat', 'unknown option "mod"'],
    ['openai:http://h/v1?mode=caht', 'Choose from: auto, chat'],
  ])('refuses %s', (ref, words) => {
    expect(() => parseUpstreamRef(ref)).toThrow(words);
  });

  it('refuses a password in the address without repeating it', () => {
    expect(() => parseUpstreamRef('openai:https://me:hunter2@h/v1')).toThrow(/OSLER_UPSTREAM_KEYS/);
    expect(() => parseUpstreamRef('openai:https://me:hunter2@h/v1')).not.toThrow(/hunter2/);
  });

  it('is told from other references by its prefix', () => {
    expect(isUpstreamRef('openai:http://h/v1')).toBe(true);
    expect(isUpstreamRef('openai/gpt-oss-20b')).toBe(false);
  });
});
