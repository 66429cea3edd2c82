import { describe, expect, it } from 'vitest';
import { readFrame } from '../../../../src/server/websocket/read-frame.ts';

const request = { model: 'tuned', messages: [{ role: 'user', content: 'Why?' }] };

describe('a client’s frame', () => {
  it.each([
    [{ type: 'chat', id: 'a', request }],
    [{ type: 'chat', id: 'x'.repeat(64), request: { ...request, a_field_of_tomorrow: 1 } }],
    [{ type: 'cancel', id: 'a' }],
    [{ type: 'answer-now', id: 'a' }],
    [{ type: 'ping' }],
    [{ type: 'ping', at: 1.5 }],
  ])('is read: %j', (frame) => {
    expect(readFrame(JSON.stringify(frame), false)).toEqual({ frame });
  });

  it.each([
    ['no JSON', '{"type": "ping"', null, null, 'it is not JSON'],
    ['nothing', '', null, null, 'it is not JSON'],
    ['no object', '["chat"]', null, null, 'it is not a JSON object'],
    ['JSON’s null', 'null', null, null, 'it is not a JSON object'],
    ['no type', '{"id": "a"}', null, 'type', 'it has no type; the types are chat, cancel, answer-now, ping'],
    ['an unknown type', '{"type": "shout", "id": "a"}', null, 'type', 'the type "shout" is unknown'],
    ['a server’s type', '{"type": "delta", "id": "a"}', null, 'type', 'the type "delta" is unknown'],
    ['half a character', '{"type": "cancel", "id": "a\\ud800"}', null, null, 'it holds half a character'],
    ['no id', '{"type": "cancel"}', null, 'id', 'id:'],
    ['an empty id', '{"type": "cancel", "id": ""}', null, 'id', 'id:'],
    ['a number as id', '{"type": "cancel", "id": 1}', null, 'id', 'id:'],
    ['an id too long', JSON.stringify({ type: 'cancel', id: 'x'.repeat(65) }), null, 'id', 'id:'],
    ['an unknown field', '{"type": "cancel", "id": "a", "why": "late"}', 'a', null, 'cancel: Unrecognized key: "why"'],
    ['no request', '{"type": "chat", "id": "a"}', 'a', 'request', 'request:'],
    [
      'a wrong request',
      '{"type": "chat", "id": "a", "request": {"model": "tuned", "messages": []}}',
      'a',
      'request.messages',
      'request.messages:',
    ],
  ])('is refused: %s', (_title, text, id, param, why) => {
    const reading = readFrame(text, false);
    expect(reading).toMatchObject({ id, param, error: { code: 'OSLER_ERR_WEBSOCKET_FRAME' } });
    expect('error' in reading && reading.error.message).toContain(why);
  });

  it('is refused where it is binary, be it JSON or not', () => {
    expect(readFrame('{"type":"ping"}', true)).toMatchObject({ id: null, error: { code: 'OSLER_ERR_WEBSOCKET_FRAME' } });
  });

  it('is refused in few words, however much is wrong and however long it is', () => {
    const long = 'x'.repeat(100_000);
    const wrong = [
      { type: long },
      { type: 'cancel', id: 'a', ...Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`${long.slice(0, 150)}${index}`, 1])) },
      { type: 'chat', id: 'a', request: { model: 'tuned', messages: Array.from({ length: 5000 }, () => ({ role: long.slice(0, 150) })) } },
    ];
    for (const frame of wrong) {
      const reading = readFrame(JSON.stringify(frame), false);
      expect('error' in reading && reading.error.message.length).toBeLessThan(2000);
    }
  });

  it('is refused, and nothing worse, where it is nested a hundred thousand times', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const tools = `[{"type":"function","function":{"name":"f","parameters":{"x":${deep}}}}]`;
    const messages = '[{"role":"user","content":"x"}]';
    for (const text of [
      deep,
      `{"type":"chat","id":"a","request":{"model":"tuned","messages":${deep}}}`,
      `{"type":"chat","id":"a","request":{"model":"tuned","messages":${messages},"tools":${tools}}}`,
    ]) {
      const reading = readFrame(text, false);
      expect('error' in reading && reading.error.message).toContain('nested deeper than 128 levels');
    }
  });
});
