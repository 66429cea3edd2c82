import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { plainReply, postChat, servedModel, startService } from '../support/service.ts';
import { Completion } from '../support/wire.ts';

const schema = {
  type: 'object',
  properties: { diagnosis: { type: 'string' }, certainty: { type: 'integer', minimum: 1, maximum: 5 } },
  required: ['diagnosis', 'certainty'],
  additionalProperties: false,
};
const format = { type: 'json_schema', json_schema: { name: 'opinion', strict: true, schema } };

async function serve(source?: string) {
  const seen: GenerateRequest[] = [];
  const engine = new ScriptedEngine({
    reply: (request) => {
      seen.push(request);
      return plainReply;
    },
  });
  const service = await startService({ models: [servedModel(engine, source === undefined ? {} : { source })] });
  return { service, seen };
}

describe('response_format', () => {
  it('holds the answer to a schema and leaves the thought free', async () => {
    const { service, seen } = await serve();
    const [{ message }] = Completion.parse((await postChat(service, { response_format: format })).json()).choices;
    expect(JSON.parse(message.content ?? '')).toEqual({ diagnosis: 'text', certainty: 1 });
    expect(message.reasoning_content).toBe('I weigh the signs.');
    expect(seen[0]?.grammar).toEqual({
      type: 'json-schema',
      schema: {
        type: 'object',
        properties: { diagnosis: { type: 'string' }, certainty: { enum: [1, 2, 3, 4, 5] } },
        additionalProperties: false,
      },
    });
  });

  it('holds the answer to any JSON, or to nothing', async () => {
    const { service, seen } = await serve();
    await postChat(service, { response_format: { type: 'json_object' } });
    await postChat(service, { response_format: { type: 'text' } });
    expect(seen[0]?.grammar).toEqual({ type: 'json' });
    expect(seen[1]).not.toHaveProperty('grammar');
  });

  it.each(['json_object', 'json_schema'])('takes a schema where llama-server has it, beside the type %s', async (type) => {
    const { service, seen } = await serve();
    const schema = { type: 'object', properties: { certainty: { enum: [1, 2] } } };
    const [{ message }] = Completion.parse((await postChat(service, { response_format: { type, schema } })).json()).choices;
    expect(JSON.parse(message.content ?? '')).toEqual({ certainty: 1 });
    expect(seen[0]?.grammar).toEqual({ type: 'json-schema', schema: { ...schema, additionalProperties: false } });
  });

  it('opens the thought for a model that would decide itself, where its template knows the tag', async () => {
    const source = "{% for m in messages %}{{ m.content.split('<think>')[0] }}{% endfor %}\nA:";
    const { service, seen } = await serve(source);
    await postChat(service, { response_format: format });
    await postChat(service);
    expect(seen[0]).toMatchObject({ isThoughtPreopened: true, isThinkingEnabled: true });
    expect(seen[0]?.prompt.endsWith('A:<think>\n')).toBe(true);
    expect(seen[1]).toMatchObject({ isThoughtPreopened: false, isThinkingEnabled: true });
    expect(seen[1]?.prompt.endsWith('A:')).toBe(true);
  });

  it('takes a model whose template knows no tag for one that does not think', async () => {
    const { service, seen } = await serve('{{ messages[0].content }}\nA:');
    await postChat(service, { response_format: format });
    expect(seen[0]).toMatchObject({ isThoughtPreopened: false, isThinkingEnabled: false });
  });

  it('goes with a thought that is switched off', async () => {
    const { service, seen } = await serve();
    await postChat(service, { response_format: format, enable_thinking: false });
    expect(seen[0]).toMatchObject({ isThoughtPreopened: false, isThinkingEnabled: false });
    expect(seen[0]?.prompt).toMatch(/<\/think>\s*$/);
  });
});
