import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { systemClock } from '../src/core/clock.ts';
import { readConfig } from '../src/core/config.ts';
import { isRecord } from '../src/core/is-record.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { openStore } from '../src/core/store.ts';
import { buildApp } from '../src/server/app.ts';
import { KeyStore } from '../src/server/auth/key-store.ts';
import { Drain } from '../src/server/drain.ts';
import { ServedModels } from '../src/server/served-model.ts';
import { ModelStore } from '../src/train/model-store.ts';
import { Pushes } from '../src/train/publish/pushes.ts';
import { RunStore } from '../src/train/run-store.ts';
import { Trainings } from '../src/train/trainings.ts';

const marker = '<!-- From here on made by scripts/generate-docs.ts. -->\n';

const Operation = z.looseObject({
  summary: z.string(),
  description: z.string().optional(),
  requestBody: z.looseObject({ content: z.looseObject({ 'application/json': z.looseObject({ schema: z.looseObject({}) }) }) }).optional(),
});
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) });

/** docs/http-api.md: the part that people write, and the tables of routes and fields. */
export async function httpApiPage(): Promise<string> {
  const written = await readFile(path.join(packageRoot, 'docs/http-api.md'), 'utf8');
  const { paths } = Document.parse(await describeService());
  const operations = Object.entries(paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${route}`, operation })),
  );
  const routes = operations.map(
    ({ name, operation }) => `| \`${name}\` | ${[operation.summary, operation.description].filter(Boolean).join('. ')} |`,
  );
  const bodies = operations.flatMap(({ name, operation }) => fieldsOf(operation).map((fields) => `## Body of ${name}\n\n${fields}\n`));
  return `${written.split(marker)[0] ?? ''}${marker}\n## Routes\n\n| route | what |\n|---|---|\n${routes.join('\n')}\n\n${bodies.join('\n')}`;
}

async function describeService(): Promise<unknown> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'osler-docs-'));
  const database = openStore(home);
  const shared = {
    config: { ...readConfig(), home },
    clock: systemClock,
    runs: new RunStore(database, systemClock),
    models: new ModelStore(database),
    launcher: async () => await Promise.reject(new Error('nothing is trained here')),
    exportRun: async () => await Promise.reject(new Error('nothing is exported here')),
  };
  const app = await buildApp({
    models: new ServedModels([]),
    trainings: new Trainings(shared),
    checkTraining: async () => ({ schemaVersion: 1, findings: [], data: null, host: null }),
    startTraining: async () => await Promise.reject(new Error('nothing is trained here')),
    pushes: new Pushes({ ...shared, findEvaluation: async () => undefined }),
    evaluations: async () => [],
    clock: systemClock,
    keys: new KeyStore(database, systemClock),
    apiKey: null,
    isLoopback: true,
    allowedOrigins: [],
    trustedProxies: [],
    rateLimitPerMinute: 0,
    queueTimeoutMs: 1000,
    drain: new Drain(),
    logLevel: 'silent',
  });
  try {
    await app.ready();
    return app.swagger();
  } finally {
    await app.close();
    database.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** The table of a body's fields, or nothing. */
function fieldsOf({ requestBody }: z.infer<typeof Operation>): string[] {
  const schema = requestBody?.content['application/json'].schema;
  const properties = schema?.['properties'];
  if (!isRecord(properties) || Object.keys(properties).length === 0) return [];
  const required = Array.isArray(schema?.['required']) ? schema['required'] : [];
  const rows = Object.entries(properties).map(([name, property]) => {
    const description = isRecord(property) && typeof property['description'] === 'string' ? property['description'] : '';
    return `| \`${name}\`${required.includes(name) ? ' (required)' : ''} | ${typeOf(property)} | ${description} |`;
  });
  return [`| field | type | meaning |\n|---|---|---|\n${rows.join('\n')}`];
}

/** A schema in a few words; null goes without saying. */
function typeOf(schema: unknown): string {
  if (!isRecord(schema)) return '';
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return [...new Set(choices.map(typeOf).filter((type) => type !== 'null' && type !== ''))].join(' or ');
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${String(value)}\``).join(', ');
  if (schema['type'] === 'array') return `list of ${typeOf(schema['items']) || 'anything'}`;
  const { minimum, maximum, exclusiveMinimum } = schema;
  const isBounded = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER;
  const least = typeof exclusiveMinimum === 'number' ? `above ${exclusiveMinimum}` : String(minimum);
  const range = isBounded
    ? ` ${least} to ${maximum}`
    : typeof minimum === 'number' && minimum > Number.MIN_SAFE_INTEGER
      ? ` from ${minimum}`
      : '';
  const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type'] ?? ''];
  return `${types.filter((type) => type !== 'null').join(' or ')}${range}`;
}
