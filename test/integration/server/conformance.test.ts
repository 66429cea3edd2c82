import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isRecord } from '../../../src/core/is-record.ts';
import { ensureConformanceTools } from '../../support/conformance-tools.ts';
import { scriptedModel, type Service, startService } from '../support/service.ts';

/** llm-comply asks for a thought only of models with such a name. */
const model = 'deepseek-r1-scripted';
const chatCases = [
  'chat-basic-response',
  'chat-system-prompt',
  'chat-multi-turn',
  'chat-tool-calling',
  'chat-streaming-response',
  'chat-streaming-usage',
  'chat-error-handling',
  'chat-reasoning-summary',
];
const responseCases = ['basic-response', 'system-prompt', 'multi-turn'];
/** Starting a training is no matter for random requests, and a websocket speaks another language. */
const excluded = ['--exclude-name', 'POST /api/runs', '--exclude-path', '/ws/chat'];
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
];
const examplesPerOperation = 12;

let service: Service;
let origin = '';
let commands = '';
let folder = '';
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  commands = await ensureConformanceTools();
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-conformance-'));
  service = await startService(
    { models: [scriptedModel({ name: model })], logLevel: 'error', deps: { rateLimitPerMinute: 0 } },
    (end) => void ends.push(end),
  );
  origin = await service.listen();
}, 300_000);

afterAll(async () => {
  for (const end of ends) await end();
  await rm(folder, { recursive: true, force: true });
});

const Compliance = z.object({
  results: z.array(
    z.object({ id: z.string(), status: z.string(), errors: z.array(z.string()).default([]), warnings: z.array(z.string()).default([]) }),
  ),
});

async function comply(format: string, cases: readonly string[]) {
  const words = [
    '--base-url',
    `${origin}/v1`,
    '--api-key',
    'none',
    '--model',
    model,
    '--format',
    format,
    '--filter',
    cases.join(','),
    '--json',
  ];
  const result = await execa(path.join(commands, 'llm-comply'), words, { reject: false });
  return Compliance.parse(JSON.parse(result.stdout)).results;
}

describe('llm-comply', () => {
  it.each([
    ['openai-chat', chatCases],
    ['open-responses', responseCases],
  ])('passes the cases of %s, without a warning', async (format, cases) => {
    const results = await comply(format, cases);
    expect(results.toSorted((a, b) => cases.indexOf(a.id) - cases.indexOf(b.id))).toEqual(
      cases.map((id) => ({ id, status: 'passed', errors: [], warnings: [] })),
    );
  });
});

describe('schemathesis', () => {
  it('finds no reply to random requests, sound and unsound ones, that /openapi.json does not describe', { timeout: 240_000 }, async () => {
    const document: unknown = await (await fetch(`${origin}/openapi.json`)).json();
    const file = path.join(folder, 'openapi.json');
    await writeFile(file, JSON.stringify(withModel(document)));
    const report = path.join(folder, 'junit.xml');
    const words = ['run', file, '--url', origin, ...excluded, '--checks', checks.join(','), '--seed', '1', '--no-shrink'];
    words.push('--phases', 'coverage,fuzzing', '--max-examples', String(examplesPerOperation), '--request-timeout', '20');
    words.push('--report', 'junit', '--report-junit-path', report);
    const result = await execa(path.join(commands, 'schemathesis'), words, {
      cwd: folder,
      reject: false,
      all: true,
      env: { NO_COLOR: '1' },
    });
    expect(result.exitCode, result.all.slice(-6000)).toBe(0);
    const suites = await readFile(report, 'utf8');
    expect(Number(/tests="(\d+)"/.exec(suites)?.[1])).toBeGreaterThan(12);
    expect(service.log()).toBe('');
  });
});

/** The description with the one model's name in it: otherwise most random requests would end at an unknown model. */
function withModel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withModel);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === 'model' && isRecord(part) && part['type'] === 'string' ? { enum: [model] } : withModel(part),
    ]),
  );
}
