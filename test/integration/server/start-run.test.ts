import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../../src/core/config.ts';
import { OSLER_ERR_USAGE } from '../../../src/core/errors.ts';
import type { PreflightFinding } from '../../../src/core/schema/preflight.ts';
import { TrainingCheck } from '../../../src/core/schema/training-check.ts';
import { StartedRun } from '../../../src/server/routes/start-run.ts';
import type { HostQuestion, Launcher } from '../../../src/train/launchers/launcher.ts';
import { LocalLauncher } from '../../../src/train/launchers/local-launcher.ts';
import type { HostReply } from '../../../src/train/preflight/ask-trainer.ts';
import { changedLauncher } from '../../support/fake-trainings.ts';
import { hostReport } from '../../support/host-report.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const tight: PreflightFinding = { level: 'warning', code: 'memoryTight', message: 'It may not fit.', setting: null, value: null };
const short: PreflightFinding = {
  level: 'error',
  code: 'memoryShort',
  message: 'It does not fit',
  setting: 'trainer.perDeviceBatchSize',
  value: 1,
};
const missing: PreflightFinding = { level: 'error', code: 'packageMissing', message: 'No unsloth.', setting: 'backend', value: 'peft' };
const reported = (...findings: PreflightFinding[]): HostReply => ({ kind: 'report', report: hostReport({ findings }) });

interface GpuHost {
  readonly service: Service;
  /** What its trainer was asked, in order. */
  readonly questions: HostQuestion[];
  /** File of the rows, two of them. */
  readonly data: string;
}

/** A service with a launcher `gpu`, another machine whose trainer answers like this and starts nothing. */
async function gpuHost(
  answer: (question: HostQuestion) => Promise<HostReply>,
  changes: Partial<Launcher> = {},
  config: Partial<Config> = {},
): Promise<GpuHost> {
  const questions: HostQuestion[] = [];
  const gpu: Launcher = {
    ...changedLauncher(new LocalLauncher({ python: async () => 'none', devices: async () => [] }), {
      start: async () => await Promise.reject(new OSLER_ERR_USAGE('nothing is started here')),
      askTrainer: async (question) => (questions.push(question), await answer(question)),
      ...changes,
    }),
    name: 'gpu',
  };
  const service = await startService({ launcher: async () => gpu, config });
  onTestFinished(async () => {
    for (const { id } of service.trainings.list()) await service.trainings.execute(id).catch(() => undefined);
  });
  const data = path.join(service.home, 'data/rows.jsonl');
  await mkdir(path.dirname(data));
  await writeRows(data, 'first', 'second');
  return { service, questions, data };
}

async function waitForAbort({ signal }: { signal?: AbortSignal | undefined }): Promise<never> {
  return await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
}

async function writeRows(file: string, ...questions: string[]): Promise<void> {
  await writeFile(file, questions.map((Question) => JSON.stringify({ Question, Complex_CoT: 't', Response: 'a' })).join('\n'));
}

function bodyOf({ data }: GpuHost, changes: object = {}): string {
  return JSON.stringify({ data, base: 'owner/model', launcher: 'gpu', set: { 'data.heldOutRows': 0 }, ...changes });
}

async function start(host: GpuHost, changes: object = {}, key?: string) {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) };
  return await host.service.app.inject({ method: 'POST', url: '/api/runs', payload: bodyOf(host, changes), headers });
}

async function expectNothingLeft({ service }: GpuHost): Promise<void> {
  expect(service.trainings.list()).toEqual([]);
  expect(await readdir(service.home)).not.toContain('runs');
  expect(await readdir(path.join(service.home, 'cache'))).toEqual([]);
}

describe('POST /api/runs checks a training first', () => {
  it('and refuses what cannot work, in one error with every finding and its setting', async () => {
    const host = await gpuHost(async () => reported(tight, missing, short));
    const reply = await start(host);
    expect(reply.statusCode, reply.body).toBe(424);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ code: 'OSLER_ERR_RUN_PREFLIGHT', type: 'invalid_request_error', findings: [missing, short, tight] });
    expect(error.message).toBe(
      'The training cannot start: 2 to mend first.\npackageMissing: No unsloth. (mend it with "backend": "peft")\nmemoryShort: It does not fit (mend it with "trainer.perDeviceBatchSize": 1)',
    );
    await expectNothingLeft(host);
  });

  it('and is told to pass over estimates, and over nothing else', async () => {
    let findings = [short];
    const host = await gpuHost(async () => reported(...findings));
    const refused = ErrorReply.parse((await start(host)).json()).error;
    expect(refused.message).toContain('These are estimates; "ignoreEstimates": true starts it all the same.');
    expect((await start(host, { ignoreEstimates: true })).statusCode).toBe(202);
    findings = [short, missing];
    const reply = await start(host, { ignoreEstimates: true });
    expect(reply.statusCode).toBe(424);
    expect(ErrorReply.parse(reply.json()).error.message).not.toContain('memoryShort');
    expect(host.service.trainings.list()).toHaveLength(1);
  });

  it('and starts it with warnings, which are in the reply and kept beside the run', async () => {
    const host = await gpuHost(async () => reported(tight));
    const reply = await start(host);
    expect(reply.statusCode, reply.body).toBe(202);
    const { id, findings } = StartedRun.parse(reply.json());
    expect(findings).toEqual([tight]);
    const kept = await host.service.app.inject(`/api/runs/${id}/check`);
    expect(TrainingCheck.parse(kept.json())).toMatchObject({ findings, data: { trainRows: 2 }, host: { device: { kind: 'cpu' } } });
    const checked = await host.service.app.inject({ method: 'POST', url: '/api/runs/check', payload: JSON.parse(bodyOf(host)) as object });
    expect(checked.json()).toEqual(kept.json());
    const none = await host.service.app.inject('/api/runs/run-none/check');
    expect(none.statusCode).toBe(404);
  });

  it('and trains on the rows that were checked, whatever their file holds since', async () => {
    const host = await gpuHost(async () => {
      await writeRows(host.data, 'third');
      return reported();
    });
    const { id } = StartedRun.parse((await start(host)).json());
    await eventually('it was tried', () => host.service.trainings.get(id).state === 'failed');
    const { trainRows, source } = host.service.trainings.folder(id);
    const questions = (await readFile(trainRows, 'utf8')).match(/"question":"\w+"/g);
    expect(questions).toEqual(['"question":"first"', '"question":"second"']);
    expect(JSON.parse(await readFile(source, 'utf8'))).toMatchObject({ data: { trainRows: 2, sourceRows: 2 } });
  });

  it('once for a key: a request that comes again is answered without a check', async () => {
    const host = await gpuHost(async () => reported(tight));
    const both = await Promise.all([start(host, {}, 'key-1'), start(host, {}, 'key-1')]);
    expect(both.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([200, 202]);
    await rm(host.data);
    const again = await start(host, {}, 'key-1');
    expect(again.statusCode, again.body).toBe(200);
    expect(new Set([...both, again].map((reply) => StartedRun.parse(reply.json()).id)).size).toBe(1);
    expect(StartedRun.parse(again.json()).findings).toEqual([tight]);
    expect(host.questions).toHaveLength(1);
    expect((await start(host, { ignoreEstimates: true }, 'key-1')).statusCode).toBe(200);
    expect((await start(host, { base: 'owner/other' }, 'key-1')).statusCode).toBe(409);
  });

  it('and knows of runs that will have ended before it begins', async () => {
    const host = await gpuHost(async () => reported(), { start: waitForAbort });
    const { id } = StartedRun.parse((await start(host)).json());
    await eventually('it has a slot', () => host.service.trainings.get(id).state === 'preparing');
    expect((await start(host)).statusCode).toBe(202);
    expect(host.questions.map(({ circumstances }) => circumstances.isBusy)).toEqual([false, true]);
    for (const run of host.service.trainings.list()) host.service.trainings.cancel(run.id);
  });

  it('and leaves the minutes that a set-up of Python takes to the run', async () => {
    const host = await gpuHost(async () => reported(), {}, { venv: '/none/venv' });
    const base = path.join(host.service.home, 'models/base');
    await mkdir(base, { recursive: true });
    await writeFile(path.join(base, 'config.json'), '{}');
    const reply = await start(host, { launcher: 'local', base });
    expect(reply.statusCode, reply.body).toBe(202);
    const { findings } = StartedRun.parse(reply.json());
    expect(findings).toMatchObject([{ level: 'warning', code: 'hostUnchecked', message: expect.stringContaining('not set up') }]);
    expect(host.questions).toEqual([]);
  });

  it('but for a dry run, whose trainer needs neither tokenizer nor memory', async () => {
    const host = await gpuHost(async () => reported(missing));
    expect((await start(host, { dryRun: true })).statusCode).toBe(202);
    expect(host.questions).toEqual([]);
  });

  it('and leaves no run behind when the client has left meanwhile', async () => {
    const host = await gpuHost(waitForAbort);
    const origin = await host.service.listen();
    const leaving = new AbortController();
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: bodyOf(host), signal: leaving.signal };
    const reply = fetch(`${origin}/api/runs`, init);
    await eventually('it is checked', () => host.questions.length === 1);
    leaving.abort();
    await expect(reply).rejects.toThrow('aborted');
    await eventually('the check has ended', async () => (await readdir(path.join(host.service.home, 'cache'))).length === 0);
    await expectNothingLeft(host);
  });

  it('and says when to come again, where the server goes down meanwhile', async () => {
    const host = await gpuHost(waitForAbort);
    const reply = start(host);
    await eventually('it is checked', () => host.questions.length === 1);
    host.service.drain.begin();
    expect((await reply).statusCode).toBe(503);
    expect((await reply).headers['retry-after']).toBe('10');
    await expectNothingLeft(host);
  });
});
