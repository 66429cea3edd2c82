import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPushRecord } from '../../../src/train/publish/push-record.ts';
import { type HubServer, startHubServer } from '../../support/hub-server.ts';
import { makePublishedRun, type PublishedRun } from '../../support/published-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const token = 'hf_planted_secret_0123456789';
const repo = 'ann/DeepSeek-R1-Medical-COT';

describe('POST /api/runs/:id/push', () => {
  let hub: HubServer;
  let made: PublishedRun;

  beforeEach(async () => {
    hub = await startHubServer({ pageSize: 100, largeBytes: 10_000 });
    hub.accounts.set(token, { name: 'ann', role: 'write' });
    made = await makePublishedRun(temporaryFolder(), { source: { base: { ref: 'my-base', revision: null } } });
  });
  afterEach(() => hub.close());

  const serve = async (hubToken: string | null = token): Promise<Service> =>
    await startService({ home: made.config.home, config: { hubEndpoint: hub.endpoint, hubToken } });
  const post = async (service: Service, body: object = {}, id = made.run.id) =>
    await service.app.inject({ method: 'POST', url: `/api/runs/${id}/push`, payload: body });
  const state = async (service: Service): Promise<Record<string, unknown>> =>
    (await service.app.inject(`/api/runs/${made.run.id}/push`)).json();
  const ended = async (service: Service) =>
    await eventually('the push ends', async () => (await state(service))['isRunning'] === false, 10_000);

  it('pushes in the background and tells how it went, privately and without the token', async () => {
    const service = await serve();
    const reply = await post(service);
    expect(reply.statusCode, reply.body).toBe(202);
    expect(reply.headers['location']).toBe(`/api/runs/${made.run.id}/push`);
    expect(reply.json()).toMatchObject({ state: 'pushing', isRunning: true, repo, visibility: 'private' });
    await ended(service);
    const last = await state(service);
    expect(last).toMatchObject({
      state: 'done',
      commit: hub.repository('model', repo)?.branches.get('main'),
      url: `${hub.endpoint}/${repo}`,
    });
    expect(hub.repository('model', repo)).toMatchObject({ isPrivate: true });
    expect(`${JSON.stringify(last)}${reply.body}${service.log()}`).not.toContain(token);
  });

  it('takes repository, parts, branch and visibility', async () => {
    const service = await serve();
    expect((await post(service, { repo: 'ann/other', what: ['adapter'], revision: 'trial', public: true })).statusCode).toBe(202);
    await ended(service);
    expect(Object.keys(hub.files('ann/other', 'trial'))).toContain('adapter/adapter_model.safetensors');
    expect(hub.repository('model', 'ann/other')).toMatchObject({ isPrivate: false });
  });

  it('gives a repeated request the push that runs, and refuses another beside it', async () => {
    const service = await serve();
    hub.faults.refuse = { host: 'hub', pattern: /\/preupload\//, status: 503, times: 1 };
    const [first, again] = [await post(service), await post(service)];
    expect([first.statusCode, again.statusCode]).toEqual([202, 200]);
    const other = await post(service, { repo: 'ann/other' });
    expect(other.statusCode).toBe(409);
    await ended(service);
    expect(hub.repository('model', repo)?.log).toHaveLength(2);
  });

  it('answers at once what cannot be pushed', async () => {
    const without = await serve(null);
    const reply = await post(without);
    expect(reply.statusCode).toBe(502);
    expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_HUB_PUSH');
    expect(reply.json()).toMatchObject({ error: { message: expect.stringContaining('HF_TOKEN') } });
    const service = await serve();
    expect((await post(service, {}, 'run-none')).statusCode).toBe(404);
    expect((await post(service, { what: ['weights'] })).statusCode).toBe(400);
    expect((await post(service, { token: 'hf_other' })).statusCode).toBe(400);
    expect((await service.app.inject(`/api/runs/${made.run.id}/push`)).statusCode).toBe(409);
    expect(hub.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('notes what went wrong later on, where it can be read', async () => {
    const service = await serve();
    hub.addCommit('model', repo, { 'a.txt': { content: Buffer.from('a') } });
    expect((await post(service)).statusCode).toBe(202);
    await ended(service);
    expect(await state(service)).toMatchObject({ state: 'failed', commit: null, error: expect.stringContaining('it is public') });
    expect(service.log()).toContain('push ended early');
  });

  it('stops with the server, and goes on when it is asked for again', async () => {
    const service = await serve();
    hub.faults.refuse = { host: 'hub', pattern: /\/commit\//, status: 503, times: 1000, headers: { 'retry-after': '5' } };
    expect((await post(service)).statusCode).toBe(202);
    await eventually('files are sent', async () => hub.requests.some(({ url }) => url.includes('/commit/')), 10_000);
    service.drain.begin();
    await eventually('the push stops', async () => (await readPushRecord(made.folder))?.state === 'failed', 10_000);
    expect(await readPushRecord(made.folder)).toMatchObject({ error: expect.stringContaining('interrupted') });
    hub.faults.refuse = null;
    const next = await serve();
    const before = hub.requests.filter(({ method }) => method === 'PUT').length;
    expect((await post(next)).statusCode).toBe(202);
    await ended(next);
    expect(await state(next)).toMatchObject({ state: 'done' });
    expect(hub.requests.filter(({ method }) => method === 'PUT')).toHaveLength(before);
  });
});
