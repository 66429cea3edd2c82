import { beforeAll, describe, expect, it } from 'vitest';
import { startService } from '../support/service.ts';

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

  it('says of each what it is, what comes back, and how it can fail', () => {
    for (const [name, operation] of operations) {
      if (name.startsWith('HEAD ')) continue;
      expect(operation.summary, name).toMatch(/^[A-Z].{8,}/);
      expect(operation.tags, name).toHaveLength(1);
      const statuses = Object.keys(operation.responses);
      expect(statuses, name).toContain(name === 'GET /ws/chat' ? '426' : '200');
      expect(statuses, name).toEqual(expect.arrayContaining(['400', '401', '403', '404', '413', '429', '500', '503']));
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.description, `${name} ${status}`).toBeTruthy();
        expect(Object.values(response.content ?? {})[0]?.schema, `${name} ${status}`).toBeDefined();
      }
      if (name.startsWith('POST ')) expect(operation.requestBody, name).toBeDefined();
    }
  });

  it('holds no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const name of new Set(references)) expect(document.components.schemas).toHaveProperty([name]);
  });
});
