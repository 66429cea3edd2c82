import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { Run } from '../../../src/core/schema/run.ts';
import { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { StartedRun } from '../../../src/server/routes/start-run.ts';
import { ensurePython } from '../../../src/train/python-environment.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, startService } from '../support/service.ts';
import { ErrorReply, parseSse, type SseBlock } from '../support/wire.ts';

let folder = '';
let base = '';
let missingPython: string | null = null;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-runs-'));
  // A dry run loads no weights: a folder that says it is a model will do.
  base = path.join(folder, 'models/base');
  await mkdir(base, { recursive: true });
  await mkdir(path.join(folder, 'data'));
  await writeFile(path.join(base, 'config.json'), '{}');
  missingPython = await ensurePython({ python: null }).then(
    () => null,
    (error: unknown) => messageOf(error),
  );
}, 600_000);

afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** Posts a body whose paths lie in `folder`, as they are in the service's home, where it may read them. */
async function post(service: Service, body: Record<string, unknown>, key?: string) {
  cpSync(folder, service.home, { recursive: true });
  return await service.app.inject({
    method: 'POST',
    url: '/api/runs',
    payload: JSON.stringify(body).replaceAll(folder, service.home),
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
  });
}

async function getRun(service: Service, id: string): Promise<Run> {
  const reply = await service.app.inject(`/api/runs/${id}`);
  expect(reply.statusCode, reply.body).toBe(200);
  return Run.parse(reply.json());
}

async function listRuns(service: Service): Promise<Run[]> {
  const body: { runs: unknown[] } = (await service.app.inject('/api/runs')).json();
  return body.runs.map((run) => Run.parse(run));
}

async function ended(service: Service, id: string, state: Run['state']): Promise<Run> {
  await eventually(`run is ${state}`, async () => (await getRun(service, id)).state === state, 30_000);
  return await getRun(service, id);
}

/** Checks each event against the schema; gives the types of the trainer's, the states that were told, and the last one whole. */
function readBlocks(blocks: readonly SseBlock[]): { types: string[]; states: string[]; state: Run } {
  const events = blocks.filter((block) => block.comment === null);
  const bodiesOf = (name: string): unknown[] =>
    events.filter((block) => block.event === name).map((block): unknown => JSON.parse(block.data ?? 'null'));
  const trainer = bodiesOf('trainer').map((body) => TrainEvent.parse(body));
  const states = bodiesOf('state').map((body) => Run.parse(body));
  expect(trainer.length + states.length).toBe(events.length);
  expect(events.at(-1)?.event).toBe('state');
  return { types: trainer.map((event) => event.type), states: states.map((run) => run.state), state: Run.parse(states.at(-1)) };
}

function isProcessThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a training started by the service, dry', () => {
  beforeEach((context) => context.skip(missingPython !== null, `no Python environment: ${missingPython}`));

  it('goes through its states to done, and its events follow it to a final state', async () => {
    const service = await startService();
    const reply = await post(service, { dryRun: true, base, set: { 'trainer.maxSteps': 30 } });
    expect(reply.statusCode, reply.body).toBe(202);
    const { id, state: firstState } = StartedRun.parse(reply.json());
    expect(reply.headers['location']).toBe(`/api/runs/${id}`);

    const states = new Set<string>([firstState]);
    const stream = service.app.inject(`/api/runs/${id}/events`);
    await eventually(
      'the run is done',
      async () => {
        const { state } = await getRun(service, id);
        states.add(state);
        return state === 'done';
      },
      30_000,
    );
    expect([...states]).toEqual(['queued', 'preparing', 'training', 'done']);

    const live = await stream;
    expect(live.headers['content-type']).toMatch(/^text\/event-stream/);
    const { types, states: told, state } = readBlocks(parseSse(live.body));
    expect(types.slice(0, 2)).toEqual(['started', 'dataset']);
    expect(types.filter((type) => type === 'progress')).toHaveLength(30);
    expect(types.at(-1)).toBe('finished');
    expect(told.slice(-3)).toEqual(['preparing', 'training', 'done']);
    expect(state).toMatchObject({ id, state: 'done', error: null, trainer: null });
    expect(state.recipe.trainer.maxSteps).toBe(30);

    // Who comes later reads the same from the first event on.
    expect(readBlocks(parseSse((await service.app.inject(`/api/runs/${id}/events`)).body)).types).toEqual(types);
    expect((await listRuns(service)).map((run) => run.id)).toEqual([id]);
    // Nothing of the rows is in the log.
    expect(service.log()).not.toMatch(/year-old/);
  });

  it('trains once for the same idempotency key, also when both requests come at once', async () => {
    const service = await startService();
    const body = { dryRun: true, base, set: { 'trainer.maxSteps': 5 } };
    const replies = await Promise.all([post(service, body, 'key-1'), post(service, body, 'key-1')]);
    expect(replies.map((reply) => reply.statusCode).toSorted((a, b) => a - b)).toEqual([200, 202]);
    const [first, second] = replies.map((reply) => StartedRun.parse(reply.json()).id);
    expect(second).toBe(first);
    await ended(service, first ?? '', 'done');

    const again = await post(service, body, 'key-1');
    expect(again.statusCode).toBe(200);
    expect(StartedRun.parse(again.json())).toMatchObject({ id: first, state: 'done' });
    expect(await listRuns(service)).toHaveLength(1);
    const events = await readEvents(service.trainings.folder(first ?? '').events);
    expect(events.filter((event) => event.type === 'started')).toHaveLength(1);

    const other = StartedRun.parse((await post(service, body, 'key-2')).json());
    expect(other.id).not.toBe(first);
    await ended(service, other.id, 'done');
  });

  it('trains once for the same idempotency key, also after a restart and from two servers of one home', async () => {
    const home = await mkdtemp(path.join(os.tmpdir(), 'osler-restart-'));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const body = { dryRun: true, base, set: { 'trainer.maxSteps': 5 } };
    const servers = [await startService({ home }), await startService({ home })];
    const replies = await Promise.all(servers.map(async (server) => await post(server, body, 'key-1')));
    expect(replies.map((reply) => reply.statusCode).toSorted((a, b) => a - b)).toEqual([200, 202]);
    const ids = replies.map((reply) => StartedRun.parse(reply.json()).id);
    expect(new Set(ids).size).toBe(1);
    for (const server of servers) {
      await ended(server, ids[0] ?? '', 'done');
      await server.app.close();
    }

    const restarted = await startService({ home });
    const again = await post(restarted, body, 'key-1');
    expect(again.statusCode).toBe(200);
    expect(StartedRun.parse(again.json())).toMatchObject({ id: ids[0], state: 'done' });
    expect(await listRuns(restarted)).toHaveLength(1);
    const events = await readEvents(restarted.trainings.folder(ids[0] ?? '').events);
    expect(events.filter((event) => event.type === 'started')).toHaveLength(1);
  });

  it.each([{ set: { 'trainer.maxSteps': 2 } }, { dryRun: false }])(
    'refuses an idempotency key that stands for another training, instead of giving that one: %j',
    async (change) => {
      const service = await startService();
      const body = { dryRun: true, base, set: { 'trainer.maxSteps': 1 } };
      const first = StartedRun.parse((await post(service, body, 'key-1')).json());
      const reply = await post(service, { ...body, ...change }, 'key-1');
      expect(reply.statusCode).toBe(409);
      const { error } = ErrorReply.parse(reply.json());
      expect(error.code).toBe('OSLER_ERR_IDEMPOTENCY_KEY');
      expect(error.message).toContain(first.id);
      await ended(service, first.id, 'done');
      expect(await listRuns(service)).toHaveLength(1);
    },
  );

  it('refuses a launcher that is not there', async () => {
    const service = await startService();
    const reply = await post(service, { dryRun: true, base, launcher: 'moon' });
    expect([reply.statusCode, reply.body]).toEqual([400, expect.stringContaining('moon')]);
    expect(await listRuns(service)).toEqual([]);
  });

  it('is cancelled in the middle, and its process goes', async () => {
    const service = await startService();
    const { id } = StartedRun.parse((await post(service, { dryRun: true, base, set: { 'trainer.maxSteps': 2000 } })).json());
    const events = service.app.inject(`/api/runs/${id}/events`);
    const file = service.trainings.folder(id).events;
    await eventually('a step is done', async () => (await readEvents(file)).some((event) => event.type === 'progress'), 30_000);
    const { trainer } = await getRun(service, id);
    const pid = trainer?.kind === 'local' ? trainer.pid : 0;
    expect(isProcessThere(pid)).toBe(true);

    const reply = await service.app.inject({ method: 'DELETE', url: `/api/runs/${id}` });
    expect(reply.statusCode).toBe(200);
    expect(Run.parse(reply.json()).state).toBe('cancelled');
    await eventually('the trainer is gone', () => !isProcessThere(pid), 15_000);
    const { state, types } = readBlocks(parseSse((await events).body));
    expect(state.state).toBe('cancelled');
    expect(types).not.toContain('finished');
    // Cancelled stays cancelled once the trainer's end was seen, and asking again changes nothing.
    await eventually('the trainer’s end was seen', async () => (await getRun(service, id)).trainer === null);
    expect((await getRun(service, id)).state).toBe('cancelled');
    expect((await service.app.inject({ method: 'DELETE', url: `/api/runs/${id}` })).statusCode).toBe(200);
  });

  it('cannot be cancelled once it is done: 409 with its state', async () => {
    const service = await startService();
    const { id } = StartedRun.parse((await post(service, { dryRun: true, base, set: { 'trainer.maxSteps': 1 } })).json());
    await ended(service, id, 'done');
    const reply = await service.app.inject({ method: 'DELETE', url: `/api/runs/${id}` });
    expect(reply.statusCode).toBe(409);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ code: 'OSLER_ERR_RUN_STATE' });
    expect((await getRun(service, id)).state).toBe('done');
  });

  it('goes on when a reader of its events leaves', async () => {
    const service = await startService();
    const origin = await service.listen();
    const { id } = StartedRun.parse((await post(service, { dryRun: true, base, set: { 'trainer.maxSteps': 20 } })).json());
    const leaving = new AbortController();
    const reply = await fetch(`${origin}/api/runs/${id}/events`, { signal: leaving.signal });
    await reply.body?.getReader().read();
    leaving.abort();
    expect((await ended(service, id, 'done')).error).toBeNull();
  });

  it('fails with the reason on a base that is no folder of transformers', async () => {
    const file = path.join(folder, 'models/base.gguf');
    await writeFile(file, 'GGUF');
    const service = await startService();
    const { id } = StartedRun.parse((await post(service, { dryRun: true, base: file })).json());
    const run = await ended(service, id, 'failed');
    expect(run.error).toContain('it is a GGUF file');
    expect(readBlocks(parseSse((await service.app.inject(`/api/runs/${id}/events`)).body)).state.state).toBe('failed');
  });
});

describe('POST /api/runs refuses, and leaves no run behind', () => {
  async function refused(body: Record<string, unknown>) {
    const service = await startService();
    const reply = await post(service, { dryRun: true, base, ...body });
    expect(await listRuns(service)).toEqual([]);
    expect(await readdir(service.home)).not.toContain('runs');
    return { status: reply.statusCode, error: ErrorReply.parse(reply.json()).error };
  }

  it('an unknown preset, naming those there are', async () => {
    const { status, error } = await refused({ preset: 'turbo' });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_RECIPE_PRESET_UNKNOWN');
    expect(error.message).toContain('recommended, smoke, tutorial');
  });

  it('unknown fields and wrong values of the recipe, all of them together', async () => {
    const { status, error } = await refused({ set: { 'trainer.speed': 9, 'lora.rank': 'big', '__proto__.x': 1, 'trainer.maxSteps': 0 } });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_RECIPE_INVALID');
    for (const field of ['trainer.speed', 'lora.rank', '__proto__.x', 'trainer.maxSteps']) expect(error.message).toContain(field);
  });

  it('unknown fields and wrong types of the body', async () => {
    const { status, error } = await refused({ presets: 'smoke', dryRun: 'yes' });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_REQUEST_INVALID');
    expect(error.message).toContain('presets');
    expect(error.message).toContain('dryRun');
  });

  it.each([{ data: 'no/such/file.jsonl' }, { set: { template: 'no-such-template' } }])('a missing file: %j', async (body) => {
    const { status, error } = await refused(body);
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  it('a base that nothing is known of, naming those there are', async () => {
    const { status, error } = await refused({ base: 'no-such-model' });
    expect(status).toBe(404);
    expect(error.code).toBe('OSLER_ERR_MODEL_UNKNOWN');
    expect(error.message).toContain('smollm2-135m-instruct');
  });

  it('rows that cannot be used, with the numbers of their lines', async () => {
    const file = path.join(folder, 'data/bad-rows.jsonl');
    const good = JSON.stringify({ Question: 'q', Complex_CoT: 't', Response: 'a' });
    await writeFile(file, `${good}\n{broken\n${good}\n{"Question":"q","Complex_CoT":"","Response":7}\n`);
    const { status, error } = await refused({ data: file });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_DATA_ROWS');
    expect(error.message).toMatch(/2 unusable row.*line 2:.*line 4: Complex_CoT.*line 4: Response/s);
  });

  it('a column that is not there, naming those that are', async () => {
    const { status, error } = await refused({ set: { 'data.columns.thought': 'Gedanke' } });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_DATA_COLUMNS');
    expect(error.message).toMatch(/"Gedanke".*Complex_CoT/s);
  });

  it.each([
    ['data', { data: '/etc/hostname' }],
    ['data', { data: 'data/../package.json' }],
    ['base', { base: '/etc' }],
    ['template', { set: { template: '/etc/hostname' } }],
    ['template', { set: { template: '../../../README.md' } }],
  ])('files outside the folders meant for it, by %s: %j', async (field, body) => {
    const { status, error } = await refused(body);
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_REQUEST_INVALID');
    expect(error.message).toContain(`"${field}`);
  });

  it('a symbolic link that leads out of its folder', async () => {
    await symlink('/etc/hostname', path.join(folder, 'data/link.jsonl'));
    const { status, error } = await refused({ data: path.join(folder, 'data/link.jsonl') });
    expect(status).toBe(400);
    expect(error.code).toBe('OSLER_ERR_REQUEST_INVALID');
  });

  it('every path in place of a preset’s name, also that of a recipe which is there', async () => {
    const recipe = path.resolve('src/train/presets/smoke.json');
    const paths = [
      recipe,
      'src/train/presets/smoke.json',
      'smoke.json',
      './smoke',
      '../presets/smoke',
      String.raw`..\presets\smoke`,
      '/etc/passwd',
      '..',
      'smoke\0',
    ];
    for (const preset of paths) {
      const { status, error } = await refused({ preset });
      expect(status, preset).toBe(400);
      expect(error.code, preset).toBe('OSLER_ERR_RECIPE_PRESET_UNKNOWN');
    }
  });

  it('to show a run it does not have, or a path in place of an id', async () => {
    const service = await startService();
    for (const id of ['run-none', '..%2F..%2Fosler.sqlite', '%00']) {
      for (const [method, tail] of [
        ['GET', ''],
        ['GET', '/events'],
        ['DELETE', ''],
      ] as const) {
        const reply = await service.app.inject({ method, url: `/api/runs/${id}${tail}` });
        expect(reply.statusCode, `${method} ${id}${tail}`).toBe(404);
        expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_NOT_FOUND');
      }
    }
  });
});
