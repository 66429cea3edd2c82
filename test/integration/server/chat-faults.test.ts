import { describe, expect, it } from 'vitest';
import { OSLER_ERR_ENGINE_FAILED, OSLER_ERR_QUEUE_FULL } from '../../../src/core/errors.ts';
import type { EngineEvent } from '../../../src/engine/engine.ts';
import { postChat, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';
import { ErrorReply, parseSse } from '../support/wire.ts';

const patientWord = 'Wilhelmina-Quux';
const question = [{ role: 'user', content: `My patient ${patientWord} has a fever.` }];
const secretPath = '/srv/secret/weights.gguf';

/** Fails as code does that nobody foresaw: with the prompt and a path in its message, over several lines. */
function breakingModel(words = 0) {
  async function* play(request: { prompt: string }): AsyncGenerator<EngineEvent, void> {
    for (let index = 0; index < words; index += 1) yield { type: 'delta', thought: '', answer: `${patientWord} `, raw: `${patientWord} ` };
    throw new TypeError(`cannot read ${secretPath} for:\n${request.prompt}\n    at ${patientWord} (again)`);
  }
  return servedModel(new StubEngine(play));
}

function expectNothingTold(service: Service, body: string): void {
  expect(body).not.toContain(patientWord);
  expect(body).not.toContain(secretPath);
  expect(body).not.toMatch(/\bat .*\.ts|TypeError|stack|node_modules/);
  expect(service.log()).not.toContain(patientWord);
  expect(service.log()).not.toContain(secretPath);
}

describe('a fault under a chat request', () => {
  it.each([false, true])('that nobody foresaw is 500 with a request id and nothing else (stream: %s)', async (isStreamed) => {
    const service = await startService({ models: [breakingModel()], logLevel: 'trace' });
    const reply = await postChat(service, { messages: question, stream: isStreamed });
    expect(reply.statusCode).toBe(500);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ type: 'server_error', param: null, code: 'OSLER_ERR_INTERNAL' });
    const requestId = /"(req-[0-9a-f]{24})"/.exec(error.message)?.[1];
    expect(requestId).toBeDefined();
    expectNothingTold(service, reply.body);
    // The log says where it broke, under the same id.
    const line = service
      .log()
      .split('\n')
      .find((text) => text.includes('request failed'));
    expect(line).toContain(requestId);
    expect(line).toContain('TypeError');
    expect(line).toContain('chat-faults.test.ts');
  });

  it('in mid-stream is an error event that tells as little', async () => {
    const service = await startService({ models: [breakingModel(2)], logLevel: 'trace' });
    const reply = await postChat(service, { messages: question, stream: true });
    expect(reply.statusCode).toBe(200);
    const last = parseSse(reply.body).at(-1);
    expect(ErrorReply.parse(JSON.parse(last?.data ?? '')).error.code).toBe('OSLER_ERR_INTERNAL');
    expectNothingTold(service, last?.data ?? '');
    expect(service.log()).toContain('stream failed');
  });

  it('is 503 with Retry-After where the queue is full', async () => {
    async function* play(): AsyncGenerator<EngineEvent, void> {
      yield* [] as EngineEvent[];
      throw new OSLER_ERR_QUEUE_FULL('tuned', 64, 5);
    }
    const service = await startService({ models: [servedModel(new StubEngine(play))] });
    for (const isStreamed of [false, true]) {
      const reply = await postChat(service, { stream: isStreamed });
      expect(reply.statusCode).toBe(503);
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
      const { error } = ErrorReply.parse(reply.json());
      expect(error).toMatchObject({ type: 'overloaded_error', code: 'OSLER_ERR_QUEUE_FULL' });
      expect(error.message).toContain('requests waiting');
    }
  });

  it.each([false, true])('is 503 where the engine dies before its first token (stream: %s)', async (isStreamed) => {
    const service = await startService({ models: [scriptedModel({ failAfterWords: 0 })] });
    const reply = await postChat(service, { stream: isStreamed });
    expect(reply.statusCode).toBe(503);
    expect(reply.headers['retry-after']).toBeDefined();
    expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_ENGINE_FAILED');
  });

  it('is 503 for a whole answer where the engine dies in the middle of it', async () => {
    const service = await startService({ models: [scriptedModel({ failAfterWords: 6 })] });
    const reply = await postChat(service);
    expect(reply.statusCode).toBe(503);
    expect(reply.body).not.toContain('weigh');
  });

  it('that comes later than a second is an event of a stream that has begun', async () => {
    async function* play(): AsyncGenerator<EngineEvent, void> {
      yield* [] as EngineEvent[];
      await new Promise((resolve) => setTimeout(resolve, 1500));
      throw new OSLER_ERR_ENGINE_FAILED('tuned', 'late');
    }
    const service = await startService({ models: [servedModel(new StubEngine(play))] });
    const reply = await postChat(service, { stream: true });
    expect(reply.statusCode).toBe(200);
    const blocks = parseSse(reply.body);
    expect(JSON.parse(blocks[0]?.data ?? '')).toMatchObject({ choices: [{ delta: { role: 'assistant' } }] });
    expect(blocks.at(-1)?.event).toBe('error');
    // A whole answer has its status in any case.
    expect((await postChat(service)).statusCode).toBe(503);
  });

  it('tells nothing of what the native code said, and logs it', async () => {
    async function* play(): AsyncGenerator<EngineEvent, void> {
      yield* [] as EngineEvent[];
      throw new OSLER_ERR_ENGINE_FAILED('tuned', `its process was ended by SIGABRT (${secretPath}: PTX was compiled elsewhere)`);
    }
    const service = await startService({ models: [servedModel(new StubEngine(play))] });
    for (const isStreamed of [false, true]) {
      const reply = await postChat(service, { stream: isStreamed });
      expect(reply.statusCode).toBe(503);
      const { error } = ErrorReply.parse(reply.json());
      expect(error.message).toBe('The engine of model "tuned" stopped. It is being restarted; send the request again.');
    }
    expect(service.log()).toContain('PTX was compiled elsewhere');
  });

  it('leaves the next request unharmed', async () => {
    let isBroken = true;
    async function* play(): AsyncGenerator<EngineEvent, void> {
      if (isBroken) throw new Error('once');
      yield { type: 'delta', thought: '', answer: 'well', raw: 'well' };
    }
    const service = await startService({ models: [servedModel(new StubEngine(play))] });
    expect((await postChat(service)).statusCode).toBe(500);
    isBroken = false;
    expect((await postChat(service)).statusCode).toBe(200);
  });
});

describe('the log', () => {
  it.each([false, true])('holds nothing of prompt, thought or answer at its lowest level (stream: %s)', async (isStreamed) => {
    const reply = `I ponder ${patientWord}.</think>\n\nGive ${patientWord} fluids.`;
    const service = await startService({ models: [scriptedModel({ reply })], logLevel: 'trace' });
    const answer = await postChat(service, { messages: question, stream: isStreamed });
    expect(answer.body).toContain(patientWord);
    expect(service.log()).toContain('/v1/chat/completions');
    expect(service.log()).not.toContain(patientWord);
    expect(service.log()).not.toMatch(/ponder|fever|fluids/);
  });

  it('holds nothing of a refused request either', async () => {
    const service = await startService({ logLevel: 'trace' });
    const messages = [{ role: patientWord, content: [{ type: patientWord, text: patientWord }] }];
    expect((await postChat(service, { messages })).statusCode).toBe(400);
    expect((await postChat(service, { messages: question, n: 99 })).statusCode).toBe(400);
    expect(service.log()).not.toContain(patientWord);
  });

  it('holds no API key', async () => {
    const service = await startService({ apiKey: 'key-of-sixteen-or-more', logLevel: 'trace' });
    await postChat(service, {}, { authorization: 'Bearer key-of-sixteen-or-more' });
    await postChat(service, {}, { authorization: 'Bearer another-wrong-key' });
    expect(service.log()).not.toMatch(/key-of-sixteen|another-wrong/);
  });
});
