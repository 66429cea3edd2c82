import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { postChat, servedModel, startService } from '../support/service.ts';
import { channelOf, chunksOf, Completion } from '../support/wire.ts';

const doseTool = {
  type: 'function',
  function: {
    name: 'look_up_dose',
    description: 'Dose of a drug',
    parameters: { type: 'object', properties: { drug: { $ref: '#/$defs/Drug' } }, $defs: { Drug: { type: 'string' } } },
  },
};
const labTool = { type: 'function', function: { name: 'lab' } };
const callText = '<tool_call>\n{"name": "look_up_dose", "arguments": {"drug": "colchicine"}}\n</tool_call>';
const callReply = `I need the dose.</think>\n\nLet me look.\n${callText}`;
/** A template that renders tools itself, as Qwen's does. */
const toolSource =
  "{% for t in tools %}[tool {{ t.function.name }}]{% endfor %}{% for m in messages %}[{{ m.role }}:{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ c.function.name }}={{ c.function.arguments | tojson }}{% endfor %}{{ m.tool_call_id or '' }}]{% endfor %}<think>\n";

async function serve(reply = callReply, source?: string) {
  const seen: GenerateRequest[] = [];
  const engine = new ScriptedEngine({
    reply: (request) => {
      seen.push(request);
      return reply;
    },
  });
  return { service: await startService({ models: [servedModel(engine, source === undefined ? {} : { source })] }), seen };
}

async function complete(changes: Record<string, unknown>, reply?: string) {
  const { service } = await serve(reply);
  const [choice] = Completion.parse((await postChat(service, { tools: [doseTool, labTool], ...changes })).json()).choices;
  return choice;
}

describe('tools', () => {
  it('become calls with an id, and the reason says so', async () => {
    const { message, finish_reason: reason } = await complete({});
    expect(reason).toBe('tool_calls');
    expect(message).toMatchObject({ content: 'Let me look.', reasoning_content: 'I need the dose.' });
    expect(message.tool_calls).toMatchObject([{ function: { name: 'look_up_dose', arguments: '{"drug":"colchicine"}' } }]);
  });

  it('may be called several times at once, each call with its own id; or once where that is asked for', async () => {
    const reply = `t</think>\n\n${callText}\n${callText}`;
    const calls = (await complete({}, reply)).message.tool_calls ?? [];
    expect(new Set(calls.map((call) => call.id)).size).toBe(2);
    expect((await complete({ parallel_tool_calls: false }, reply)).message.tool_calls).toHaveLength(1);
    expect((await complete({}, reply)).message.content).toBeNull();
  });

  it('leave an answer in words as it is', async () => {
    const { message, finish_reason: reason } = await complete({}, 'I know.</think>\n\nTake 0.5 mg.');
    expect(reason).toBe('stop');
    expect(message).toMatchObject({ content: 'Take 0.5 mg.' });
    expect(message).not.toHaveProperty('tool_calls');
  });

  it('give a call that cannot be read as content', async () => {
    const text = '<tool_call>look_up_dose(colchicine)</tool_call>';
    expect((await complete({}, `t</think>\n\n${text}`)).message).toMatchObject({ content: text });
  });

  it('leave text that looks like a call alone where there are none, or none may be called', async () => {
    const { service, seen } = await serve();
    for (const changes of [{}, { tools: [doseTool], tool_choice: 'none' }]) {
      const [{ message }] = Completion.parse((await postChat(service, changes)).json()).choices;
      expect(message.content).toContain('<tool_call>');
    }
    for (const request of seen) expect(request.prompt).not.toContain('look_up_dose');
  });

  it('stream their calls whole, with index, id and name', async () => {
    const { service } = await serve();
    const chunks = chunksOf((await postChat(service, { tools: [doseTool], stream: true })).body);
    expect(channelOf(chunks, 'content')).toBe('Let me look.');
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
    const calls = deltas.flatMap((delta) => ('tool_calls' in delta ? delta.tool_calls : []));
    expect(calls).toMatchObject([{ index: 0, type: 'function', function: { name: 'look_up_dose', arguments: '{"drug":"colchicine"}' } }]);
    expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'tool_calls' });
  });
});

describe('tool_choice', () => {
  it.each([
    ['required', { oneOf: [{ properties: { name: { const: 'look_up_dose' } } }, { properties: { name: { const: 'lab' } } }] }],
    [
      { type: 'function', function: { name: 'lab' } },
      { properties: { name: { const: 'lab' }, arguments: { type: 'object', additionalProperties: true } } },
    ],
  ])('%j holds the answer to a call, after the thought', async (choice, schema) => {
    const { service, seen } = await serve();
    const [{ message, finish_reason: reason }] = Completion.parse(
      (await postChat(service, { tools: [doseTool, labTool], tool_choice: choice })).json(),
    ).choices;
    expect(seen[0]?.grammar).toMatchObject({ type: 'json-schema', schema });
    expect(reason).toBe('tool_calls');
    expect(message).toMatchObject({ content: null, reasoning_content: 'I need the dose.' });
    expect(message.tool_calls).toHaveLength(1);
  });

  it('keeps the definitions of several tools apart', async () => {
    const { service, seen } = await serve();
    const other = { type: 'function', function: { name: 'g', parameters: { $ref: '#/$defs/Drug', $defs: { Drug: { type: 'object' } } } } };
    await postChat(service, { tools: [doseTool, other], tool_choice: 'required' });
    expect(seen[0]?.grammar).toMatchObject({
      schema: {
        $defs: { '0.Drug': { type: 'string' }, '1.Drug': { type: 'object' } },
        oneOf: [{}, { properties: { arguments: { $ref: '#/$defs/1.Drug' } } }],
      },
    });
  });
});

describe('past calls and their results', () => {
  const messages = [
    { role: 'user', content: 'Dose?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'look_up_dose', arguments: '{"drug":"x"}' } }],
    },
    { role: 'tool', tool_call_id: 'call-1', content: '0.5 mg' },
  ];

  it('go through a template that knows tools, arguments as an object', async () => {
    const { service, seen } = await serve(undefined, toolSource);
    await postChat(service, { messages, tools: [doseTool] });
    expect(seen[0]?.prompt).toBe('[tool look_up_dose][user:Dose?][assistant:look_up_dose={"drug": "x"}][tool:0.5 mgcall-1]<think>');
  });

  it('are written as text for a template that does not', async () => {
    const { service, seen } = await serve();
    await postChat(service, { messages, tools: [doseTool] });
    const prompt = seen[0]?.prompt ?? '';
    expect(prompt).toContain('<tools>\n{"type":"function","function":{"name":"look_up_dose"');
    expect(prompt).toContain('<tool_call>\n{"name":"look_up_dose","arguments":{"drug":"x"}}\n</tool_call>');
    expect(prompt).toContain('### Question:\n<tool_response>\n0.5 mg\n</tool_response>');
  });
});
