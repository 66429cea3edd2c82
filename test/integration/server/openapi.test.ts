import { beforeAll, describe, expect, it } from 'vitest';
import {
  OSLER_ERR_ENGINE_FAILED,
  OSLER_ERR_MODEL_TEMPLATE,
  OSLER_ERR_QUEUE_FULL,
  OSLER_ERR_REQUEST_TOO_LONG,
  OSLER_ERR_UPSTREAM_FAILED,
  OSLER_ERR_UPSTREAM_REFUSED,
} from '../../../src/core/errors.ts';
import { postChat, servedModel, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';
import { ErrorReply } from '../support/wire.ts';

interface Operation {
  summary?: string;
  tags?: string[];
  requestBody?: unknown;
  responses: Record<string, { description?: string; content?: Record<string, { schema?: object }> }>;
}
interface Document {
  openapi: string;
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

let document: Document;
let operations: [name: string, operation: Operation][];

beforeAll(async () => {
  const ends: (() => Promise<void>)[] = [];
  const service = await startService({}, (end) => void ends.push(end));
  const reply = await service.app.inject('/openapi.json');
  document = reply.json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]),
  );
  for (const end of ends) await end();
});

/** What services in many a state reply to real requests; every error in the form that is described. */
async function observedStatuses(): Promise<[operation: string, status: number][]> {
  const seen: [string, number][] = [];
  const note = (operation: string, reply: { statusCode: number; body: string }): void => {
    if (reply.statusCode !== 200) ErrorReply.parse(JSON.parse(reply.body));
    seen.push([operation, reply.statusCode]);
  };
  const chat = 'POST /v1/chat/completions';
  const failing = (error: Error) =>
    servedModel(
      // oxlint-disable-next-line require-yield -- it fails before the first event
      new StubEngine(async function* fail() {
        throw error;
      }),
    );

  const open = await startService();
  for (const changes of [{}, { n: 0 }, { suffix: 1, top_logprobs: 2 }, { model: 'gpt-4o' }]) note(chat, await postChat(open, changes));
  note(chat, await postChat(open, {}, { 'content-type': 'text/plain' }));
  note(chat, await postChat(open, {}, { host: 'attacker.example' }));
  note(chat, await postChat(open, { messages: [{ role: 'user', content: 'x'.repeat(5 << 20) }] }));
  note('GET /api/runs/{id}', await open.app.inject('/api/runs/none'));
  note('GET /v1/models/{id}', await open.app.inject('/v1/models/none'));
  note('GET /ws/chat', await open.app.inject('/ws/chat'));

  for (const error of [
    new OSLER_ERR_ENGINE_FAILED('tuned', 'x'),
    new OSLER_ERR_UPSTREAM_FAILED('tuned', 'x'),
    new OSLER_ERR_UPSTREAM_REFUSED('tuned', 'x'),
    new OSLER_ERR_REQUEST_TOO_LONG(2, 'tuned', 1),
    new OSLER_ERR_MODEL_TEMPLATE('tuned', 'x'),
    new OSLER_ERR_QUEUE_FULL('tuned', 1, 1),
    new Error('a fault of ours'),
  ])
    note(chat, await postChat(await startService({ models: [failing(error)] })));

  const limited = await startService({ apiKey: 'a-key-of-sixteen-characters-or-more', deps: { rateLimitPerMinute: 1 } });
  const { secret } = limited.keys.create({ name: 'x', scopes: ['chat'], expiresAt: null });
  const headers = { authorization: `Bearer ${secret}` };
  note(chat, await postChat(limited));
  note('GET /api/runs', await limited.app.inject({ url: '/api/runs', headers }));
  note(chat, await postChat(limited, {}, headers));
  note(chat, await postChat(limited, {}, headers));
  return seen;
}

describe('GET /openapi.json', () => {
  it('describes every route of the interface, in OpenAPI 3.1, with the notice', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.description).toContain('Not a medical device');
    expect(operations.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'POST /v1/chat/completions',
        'POST /v1/completions',
        'POST /v1/responses',
        'POST /v1/embeddings',
        'GET /v1/models',
        'GET /v1/models/{id}',
        'POST /tokenize',
        'POST /detokenize',
        'POST /apply-template',
        'GET /props',
        'GET /slots',
        'GET /health',
        'GET /readyz',
        'GET /metrics',
        'POST /api/runs',
        'GET /api/runs/{id}/events',
      ]),
    );
  });

  it('says of each what it is and what comes back', () => {
    for (const [name, operation] of operations) {
      if (name.startsWith('HEAD ')) continue;
      expect(operation.summary, name).toMatch(/^[A-Z].{8,}/);
      expect(operation.tags, name).toHaveLength(1);
      const statuses = Object.keys(operation.responses);
      // A switch of protocols, what is begun and not done yet, and all others.
      const usual = name === 'GET /ws/chat' ? '426' : /\/(?:stop|resume)$/.test(name) ? '202' : '200';
      expect(statuses, name).toContain(usual);
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.description, `${name} ${status}`).toBeTruthy();
        expect(Object.values(response.content ?? {})[0]?.schema, `${name} ${status}`).toBeDefined();
      }
      if (name.startsWith('POST ')) expect(operation.requestBody, name).toBeDefined();
    }
  });

  it('knows every status that requests come to, with the form of the error', async () => {
    const seen = await observedStatuses();
    const statuses = '200 400 401 403 404 413 415 421 422 426 429 500 502 503';
    expect([...new Set(seen.map(([, status]) => status))].toSorted((a, b) => a - b).join(' ')).toBe(statuses);
    for (const [name, status] of seen) {
      const [, operation] = operations.find(([candidate]) => candidate === name) ?? [];
      const response = operation?.responses[status];
      expect(response, `${name} ${status}`).toBeDefined();
      if (status !== 200)
        expect(response?.content?.['application/json']?.schema, `${name} ${status}`).toEqual({ $ref: '#/components/schemas/Error' });
    }
  });

  it('holds no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const name of new Set(references)) expect(document.components.schemas).toHaveProperty([name]);
  });
});
