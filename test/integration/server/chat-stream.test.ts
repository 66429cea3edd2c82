import { describe, expect, it } from 'vitest';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { chatBody, plainReply, postChat, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { channelOf, chunksOf, Completion, ErrorReply, parseSse } from '../support/wire.ts';

async function stream(service: Service, changes: Record<string, unknown> = {}) {
  const reply = await postChat(service, { stream: true, ...changes });
  expect(reply.statusCode, reply.body).toBe(200);
  return reply;
}

async function serveReply(reply: string): Promise<Service> {
  return await startService({ models: [scriptedModel({ reply })] });
}

describe('POST /v1/chat/completions, streamed', () => {
  it('begins with the role alone, ends with an empty delta and the reason, then [DONE]', async () => {
    const reply = await stream(await startService());
    expect(reply.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(reply.headers['cache-control']).toContain('no-cache');
    const chunks = chunksOf(reply.body);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant' });
    expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' });
    for (const chunk of chunks.slice(1, -1)) {
      expect(Object.keys(chunk.choices[0]?.delta ?? {})).toHaveLength(1);
      expect(chunk.choices[0]?.finish_reason).toBeNull();
    }
    expect(chunks.filter((chunk) => 'role' in (chunk.choices[0]?.delta ?? {}))).toHaveLength(1);
  });

  it('keeps one id, created, model and fingerprint over the whole stream', async () => {
    const chunks = chunksOf((await stream(await startService())).body);
    expect(chunks.length).toBeGreaterThan(5);
    for (const key of ['id', 'created', 'model', 'system_fingerprint'] as const)
      expect(new Set(chunks.map((chunk) => chunk[key])).size, key).toBe(1);
  });

  it('says the same as the whole answer', async () => {
    for (const reply of [plainReply, 'never closed', '</think>\n\nno thought', 'a</think>\n\nb</think>c ']) {
      const service = await serveReply(reply);
      const whole = Completion.parse((await postChat(service, { seed: 1 })).json());
      const chunks = chunksOf((await stream(service, { seed: 1, stream_options: { include_usage: true } })).body);
      expect(channelOf(chunks, 'content')).toBe(whole.choices[0].message.content);
      expect(channelOf(chunks, 'reasoning_content')).toBe(whole.choices[0].message.reasoning_content ?? '');
      expect(chunks.at(-1)?.usage).toEqual(whole.usage);
      expect(chunks.at(-2)?.osler).toMatchObject({ seed: 1, thought_closed: whole.osler.thought_closed });
    }
  });

  it('sends a usage chunk without choices only where it was asked for', async () => {
    const service = await startService();
    const asked = chunksOf((await stream(service, { stream_options: { include_usage: true } })).body);
    expect(asked.at(-1)?.choices).toEqual([]);
    expect(asked.at(-1)?.usage?.completion_tokens_details.reasoning_tokens).toBe(5);
    expect(asked.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    for (const chunk of asked.slice(0, -1)) expect(chunk.usage).toBeNull();
    for (const options of [undefined, null, {}, { include_usage: false }]) {
      const chunks = chunksOf((await stream(service, { stream_options: options })).body);
      for (const chunk of chunks) {
        expect(chunk.choices).toHaveLength(1);
        expect(chunk).not.toHaveProperty('usage');
      }
    }
  });

  it('sends two chunks where one step ends the thought and begins the answer', async () => {
    const service = await serveReply('so done</think>yes indeed');
    const deltas = chunksOf((await stream(service)).body).map((chunk) => chunk.choices[0]?.delta);
    expect(deltas).toEqual([
      { role: 'assistant' },
      { reasoning_content: 'so' },
      { reasoning_content: ' done' },
      { content: 'yes ' },
      { content: 'indeed' },
      {},
    ]);
  });

  it('holds back what may become a stop string and never shows it', async () => {
    const service = await serveReply('t</think>\n\none two EN D END three');
    expect(channelOf(chunksOf((await stream(service, { stop: ['EN D END'] })).body), 'content')).toBe('one two ');
    expect(channelOf(chunksOf((await stream(service, { stop: ['EN D nothing'] })).body), 'content')).toBe('one two EN D END three');
  });

  it('streams the raw text in content for reasoning_format none', async () => {
    for (const reply of [plainReply, 'a thought only\n</think>', 'never closed', 'a\n</think>\n\nb</think>c']) {
      const chunks = chunksOf((await stream(await serveReply(reply), { reasoning_format: 'none' })).body);
      expect(channelOf(chunks, 'content')).toBe(`<think>\n${reply}`);
      expect(channelOf(chunks, 'reasoning_content')).toBe('');
    }
  });

  it('streams raw text whose thought the model opened itself, and raw text without one', async () => {
    const source = '{% for m in messages %}{{ m.content }}{% endfor %}';
    for (const reply of [`<think>\n${plainReply}`, 'Straight to it.']) {
      const service = await startService({ models: [servedModel(new ScriptedEngine({ reply: () => reply }), { source })] });
      const chunks = chunksOf((await stream(service, { reasoning_format: 'none' })).body);
      expect(channelOf(chunks, 'content')).toBe(reply);
    }
  });

  it('tells an error in mid-stream as an error event and closes without [DONE]', async () => {
    const service = await startService({ models: [scriptedModel({ failAfterWords: 3 })] });
    const blocks = parseSse((await stream(service)).body);
    const last = blocks.at(-1);
    expect(last?.event).toBe('error');
    expect(ErrorReply.parse(JSON.parse(last?.data ?? '')).error).toMatchObject({
      code: 'OSLER_ERR_ENGINE_FAILED',
      type: 'overloaded_error',
    });
    expect(blocks.length).toBeGreaterThan(2);
    expect(blocks.filter((block) => block.event !== null)).toHaveLength(1);
    expect(blocks.map((block) => block.data)).not.toContain('[DONE]');
  });

  it('arrives piece by piece over a real connection, not all at the end', async () => {
    const service = await startService({ models: [scriptedModel({ wordMs: 15 })] });
    const origin = await service.listen();
    const reply = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody({ stream: true })),
    });
    const times: number[] = [];
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of reply.body ?? []) {
      times.push(performance.now());
      text += decoder.decode(piece, { stream: true });
    }
    expect(chunksOf(text).length).toBeGreaterThan(10);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(60);
  });
});
