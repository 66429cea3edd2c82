import { describe, expect, it } from 'vitest';
import { demandOf } from '../../../../src/server/auth/route-scopes.ts';

describe('demandOf', () => {
  it.each([
    ['GET', '/health', 'none'],
    ['HEAD', '/livez', 'none'],
    ['GET', '/readyz', 'none'],
    ['POST', '/health', 'admin'],
    ['GET', '/metrics', 'any'],
    ['GET', '/v1/models', 'chat'],
    ['POST', '/v1/chat/completions', 'chat'],
    ['POST', '/v1/embeddings', 'chat'],
    ['GET', '/ws/chat', 'chat'],
    ['POST', '/tokenize', 'chat'],
    ['POST', '/detokenize', 'chat'],
    ['POST', '/apply-template', 'chat'],
    ['GET', '/props', 'chat'],
    ['POST', '/props', 'admin'],
    ['GET', '/slots', 'chat'],
    ['GET', '/openapi.json', 'chat'],
    ['GET', '/api/evaluations', 'evaluate'],
    ['POST', '/api/evaluations', 'evaluate'],
    ['GET', '/api/runs', 'evaluate'],
    ['GET', '/api/runs/:id/events', 'evaluate'],
    ['POST', '/api/runs', 'admin'],
    ['DELETE', '/api/runs/:id', 'admin'],
    ['GET', '/api/models/:id', 'any'],
    ['POST', '/api/models/:id/promote', 'admin'],
  ] as const)('%s %s takes %s', (method, route, demand) => expect(demandOf(method, route)).toBe(demand));

  it('closes a route that the table does not name to all but admin', () => {
    expect(demandOf('GET', '/api/secrets')).toBe('admin');
    expect(demandOf('GET', '/metricsx')).toBe('admin');
    expect(demandOf('GET', '/v1')).toBe('admin');
  });

  it('asks for some key where no route fits', () => expect(demandOf('GET', undefined)).toBe('any'));
});
