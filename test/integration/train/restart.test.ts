import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { messageOf } from '../../../src/core/errors.ts';
import { Run } from '../../../src/core/schema/run.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { openStore } from '../../../src/core/store.ts';
import { StartedRun } from '../../../src/server/routes/start-run.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { ensurePython } from '../../../src/train/python-environment.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { eventually } from '../support/eventually.ts';
import { type ServeProcess, startServeProcess } from '../support/serve-process.ts';

const totalSteps = 60;
let missingPython: string | null = null;

beforeAll(async () => {
  missingPython = await ensurePython({ python: null }).then(() => null, messageOf);
}, 600_000);

/** A home with a folder that says it is a model; a dry run loads no weights. */
function newHome(): string {
  const home = temporaryFolder();
  mkdirSync(path.join(home, 'models/base'), { recursive: true });
  writeFileSync(path.join(home, 'models/base/config.json'), '{}');
  return home;
}

async function start(server: ServeProcess, home: string, key: string): Promise<Run> {
  const reply = await fetch(`${server.origin}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ dryRun: true, base: path.join(home, 'models/base'), set: { 'trainer.maxSteps': totalSteps } }),
  });
  expect([200, 202]).toContain(reply.status);
  const { findings: _findings, ...run } = StartedRun.parse(await reply.json());
  return run;
}

async function post(server: ServeProcess, id: string, what: 'stop' | 'resume'): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return await fetch(`${server.origin}/api/runs/${id}/${what}`, { method: 'POST', headers, body: '{}' });
}

async function runOf(server: ServeProcess, id: string): Promise<Run> {
  return Run.parse(await (await fetch(`${server.origin}/api/runs/${id}`)).json());
}

async function untilDone(server: ServeProcess, id: string): Promise<void> {
  await eventually('the run is done', async () => (await runOf(server, id)).state === 'done', 30_000);
}

const stepsOf = (events: readonly TrainEvent[]): number[] => events.flatMap((event) => (event.type === 'progress' ? [event.step] : []));
const startsOf = (events: readonly TrainEvent[]): number => events.filter(({ type }) => type === 'started').length;

/** Waits until the trainer has done a step that nobody chose. */
async function untilRandomStep(home: string, id: string): Promise<number> {
  const step = 1 + Math.floor(Math.random() * (totalSteps - 25));
  const { events } = runFolder(home, id);
  await eventually(`step ${step} is done`, async () => (stepsOf(await readEvents(events)).at(-1) ?? 0) >= step, 30_000);
  return step;
}

function killTrainer({ trainer }: Run): void {
  process.kill(trainer?.kind === 'local' ? trainer.pid : 0, 'SIGKILL');
}

describe('a run with a server in a process of its own', () => {
  beforeEach((context) => context.skip(missingPython !== null, `no Python environment: ${missingPython}`));

  it('trains on while its server is killed, is found again by the next, and is done by the same trainer', async () => {
    const home = newHome();
    const first = await startServeProcess(home);
    const { id } = await start(first, home, 'key');
    const step = await untilRandomStep(home, id);
    first.child.kill('SIGKILL');
    await first.exitCode();
    const second = await startServeProcess(home);
    expect(second.said()).toContain(`going on with run ${id}`);
    await untilDone(second, id);
    const events = await readEvents(runFolder(home, id).events);
    expect(startsOf(events), `killed at step ${step}`).toBe(1);
    expect(stepsOf(events)).toEqual(Array.from({ length: totalSteps }, (_, index) => index + 1));
    expect((await start(second, home, 'key')).id).toBe(id);
  });

  it('is started again where server and trainer are killed together, and goes on from its checkpoint', async () => {
    const home = newHome();
    const first = await startServeProcess(home);
    const { id } = await start(first, home, 'key');
    const step = await untilRandomStep(home, id);
    const run = await runOf(first, id);
    first.child.kill('SIGKILL');
    killTrainer(run);
    await first.exitCode();
    const second = await startServeProcess(home);
    await untilDone(second, id);
    const events = await readEvents(runFolder(home, id).events);
    expect(startsOf(events), `killed at step ${step}`).toBe(2);
    // None twice, but for one that was done and not told of.
    expect(stepsOf(events).length - new Set(stepsOf(events)).size).toBeLessThanOrEqual(1);
    expect(stepsOf(events).at(-1)).toBe(totalSteps);
  });

  it('fails where its trainer is killed, and goes on when it is asked to over HTTP', async () => {
    const home = newHome();
    const server = await startServeProcess(home);
    const { id } = await start(server, home, 'key');
    const step = await untilRandomStep(home, id);
    killTrainer(await runOf(server, id));
    await eventually('the run has failed', async () => (await runOf(server, id)).state === 'failed', 10_000);
    expect((await runOf(server, id)).error).toContain(`npx osler train --resume ${id}`);
    const reply = await post(server, id, 'resume');
    expect([reply.status, Run.parse(await reply.json()).state]).toEqual([202, 'queued']);
    await untilDone(server, id);
    const events = await readEvents(runFolder(home, id).events);
    expect(startsOf(events), `killed at step ${step}`).toBe(2);
    expect(stepsOf(events).at(-1)).toBe(totalSteps);
  });

  it('that was only written down when its server died trains once, by the next server, whoever asks again', async () => {
    const home = newHome();
    const recipe = await resolveRecipe({
      preset: 'smoke',
      set: { 'base.ref': path.join(home, 'models/base'), 'trainer.maxSteps': totalSteps },
    });
    const database = openStore(home);
    new RunStore(database, systemClock).add('run-1', recipe, 'key', { isDryRun: true });
    database.close();
    const server = await startServeProcess(home);
    expect((await start(server, home, 'key')).id).toBe('run-1');
    await untilDone(server, 'run-1');
    expect(startsOf(await readEvents(runFolder(home, 'run-1').events))).toBe(1);
  });

  it('that was only written down by another server, now dead, is taken up by the one that is asked again', async () => {
    const home = newHome();
    const server = await startServeProcess(home);
    const recipe = await resolveRecipe({
      preset: 'smoke',
      set: { 'base.ref': path.join(home, 'models/base'), 'trainer.maxSteps': totalSteps },
    });
    const database = openStore(home);
    new RunStore(database, systemClock).add('run-1', recipe, 'key', { isDryRun: true });
    database.close();
    expect((await start(server, home, 'key')).id).toBe('run-1');
    await untilDone(server, 'run-1');
  });

  it('waits for the one before it, also over a restart', async () => {
    const home = newHome();
    const first = await startServeProcess(home);
    const a = await start(first, home, 'a');
    const b = await start(first, home, 'b');
    await untilRandomStep(home, a.id);
    expect(await runOf(first, b.id)).toMatchObject({ state: 'queued', runsBefore: 0 });
    first.child.kill('SIGKILL');
    await first.exitCode();
    const second = await startServeProcess(home);
    for (const { id } of [a, b]) await untilDone(second, id);
    const [eventsA, eventsB] = [await readEvents(runFolder(home, a.id).events), await readEvents(runFolder(home, b.id).events)];
    expect([startsOf(eventsA), startsOf(eventsB)]).toEqual([1, 1]);
    expect(Date.parse(eventsB[0]?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(eventsA.at(-1)?.at ?? ''));
  });

  it('is stopped by a POST, and can be resumed, but not once it is done', async () => {
    const home = newHome();
    const server = await startServeProcess(home);
    const { id } = await start(server, home, 'key');
    await untilRandomStep(home, id);
    expect((await post(server, id, 'stop')).status).toBe(202);
    await eventually('it is stopped', async () => (await runOf(server, id)).state === 'stopped', 10_000);
    expect((await post(server, id, 'stop')).status).toBe(202);
    expect((await post(server, id, 'resume')).status).toBe(202);
    await untilDone(server, id);
    for (const what of ['stop', 'resume'] as const) expect((await post(server, id, what)).status).toBe(409);
    const steps = stepsOf(await readEvents(runFolder(home, id).events));
    expect(steps).toEqual(Array.from({ length: totalSteps }, (_, index) => index + 1));
  });
});
