import { describe, expect, it } from 'vitest';
import { chooseSubprotocol, keyOfSubprotocol } from '../../../../src/server/websocket/subprotocol.ts';

const encode = (key: string): string => `osler.key.${Buffer.from(key).toString('base64url')}`;

describe('the key in a subprotocol header', () => {
  it.each([
    ['alone', encode('secret-of-sixteen'), 'secret-of-sixteen'],
    ['beside the protocol', `osler.chat.v1, ${encode('secret-of-sixteen')}`, 'secret-of-sixteen'],
    ['before it, without blanks', `${encode('a?b>c~ü')},osler.chat.v1`, 'a?b>c~ü'],
    ['the first of two', `${encode('one')}, ${encode('two')}`, 'one'],
  ])('is read: %s', (_title, header, key) => {
    expect(keyOfSubprotocol(header)).toBe(key);
  });

  it.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['none among the protocols', 'osler.chat.v1'],
    ['an empty key', 'osler.key.'],
    ['no base64url', 'osler.key.a+b/c='],
    ['bytes that are no UTF-8', `osler.key.${Buffer.from([0xff, 0xfe, 0xfd]).toString('base64url')}`],
    ['another prefix', 'OSLER.KEY.YQ'],
  ])('is null: %s', (_title, header) => {
    expect(keyOfSubprotocol(header)).toBeNull();
  });
});

describe('the subprotocol that is spoken', () => {
  it('is the chat’s where it is offered, and never a key', () => {
    expect(chooseSubprotocol(new Set([encode('secret'), 'osler.chat.v1']))).toBe('osler.chat.v1');
    expect(chooseSubprotocol(new Set([encode('secret')]))).toBe(false);
  });
});
