import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { TrainingCheck } from '../../../src/core/schema/training-check.ts';
import { type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

async function check(service: Service, body: Record<string, unknown>) {
  return await service.app.inject({ method: 'POST', url: '/api/runs/check', payload: { asksTrainer: false, ...body } });
}

/** Writes rows to where the service may read them. */
async function rowsIn(service: Service, name: string, rows: readonly object[]): Promise<string> {
  const file = path.join(service.home, 'data', name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  return file;
}

describe('POST /api/runs/check', () => {
  it('tells of rows that cannot be trained on, with the settings that mend it, and starts nothing', async () => {
    const service = await startService();
    const data = await rowsIn(service, 'rows.jsonl', [{ question: 'q', Complex_CoT: 't', output: 'a' }]);
    const reply = await check(service, { data });
    expect(reply.statusCode, reply.body).toBe(200);
    expect(TrainingCheck.parse(reply.json()).findings).toMatchObject([
      { level: 'error', code: 'columnsMissing', setting: 'data.columns.question', value: 'question' },
      { level: 'error', code: 'columnsMissing', setting: 'data.columns.answer', value: 'output' },
    ]);
    expect(service.trainings.list()).toEqual([]);
  });

  it('takes a slice, and finds items of the benchmarks in the package’s own rows or none', async () => {
    const service = await startService();
    const reply = TrainingCheck.parse((await check(service, { split: 'train[0:10]', set: { 'data.heldOutRows': 5 } })).json());
    expect(reply.data).toMatchObject({ trainRows: 10, heldOutRows: 5 });
    expect(reply.data?.contamination?.hard).toBe(0);
    expect(reply.data?.contamination?.items).toBeGreaterThan(20);
  });

  it('works on one at a time', async () => {
    let [running, most] = [0, 0];
    const service = await startService({
      deps: {
        checkTraining: async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running -= 1;
          return { schemaVersion: 1, findings: [], data: null, host: null };
        },
      },
    });
    const replies = await Promise.all([check(service, {}), check(service, {}), check(service, {})]);
    expect(replies.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(most).toBe(1);
  });

  it.each([
    ['a field that there is not', { set: { 'data.speed': 1 } }, 'OSLER_ERR_RECIPE_INVALID'],
    ['a split that cannot be read', { split: 'train[1-2]' }, 'OSLER_ERR_USAGE'],
    ['a file outside the folders that the service reads', { data: '/etc/passwd' }, 'OSLER_ERR_REQUEST_INVALID'],
    ['a recipe file in place of a preset', { preset: '/etc/recipe.json' }, 'OSLER_ERR_RECIPE_PRESET_UNKNOWN'],
  ])('refuses %s', async (_title, body, code) => {
    const reply = await check(await startService(), body);
    expect([reply.statusCode, ErrorReply.parse(reply.json()).error.code]).toEqual([400, code]);
  });

  it('is for those who may train', async () => {
    const service = await startService();
    const { secret } = service.keys.create({ name: 'reader', scopes: ['evaluate'], expiresAt: null });
    const reply = await service.app.inject({
      method: 'POST',
      url: '/api/runs/check',
      payload: {},
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(reply.statusCode).toBe(403);
  });
});
