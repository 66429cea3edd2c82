import { createServer } from 'node:http';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diagnose } from '../../../../src/cli/doctor/diagnose.ts';
import { renderFinding } from '../../../../src/cli/doctor/finding.ts';
import { hubFinding } from '../../../../src/cli/doctor/hub-finding.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';
import { fakeProbes } from '../../engine/llama/backend-fixture.ts';

describe.runIf(process.platform === 'linux')('diagnose', () => {
  it('looks at everything but the network, and chooses', async () => {
    const home = temporaryFolder();
    const { deps, tried } = fakeProbes({ home });
    const { findings, engine } = await diagnose(testConfig(home), deps, { asksHub: false });
    const titles = ['Node', 'Processor', 'Memory', 'Home', 'Python', 'llama.cpp'];
    expect(findings.map(({ title }) => title)).toEqual([...titles, ...Array.from({ length: 4 }, () => 'Backend'), 'Engine']);
    expect(engine?.choice).toEqual({ source: 'prebuilt', gpu: 'off' });
    expect(tried).toEqual(['off prebuilt']);
  });

  it('tries again what was remembered, and renews it', async () => {
    const home = temporaryFolder();
    await diagnose(testConfig(home), fakeProbes({ home }).deps, { asksHub: false });
    const { deps, tried } = fakeProbes({ home });
    await diagnose(testConfig(home), deps, { asksHub: false });
    expect(tried).toEqual(['off prebuilt']);
    expect(await readdir(path.join(home, 'engine'))).toHaveLength(1);
  });

  it('ends without an engine where nothing decodes', async () => {
    const home = temporaryFolder();
    const { deps } = fakeProbes({ home }, { 'off prebuilt': 'its process was ended by SIGILL' });
    const { findings, engine, outcomes } = await diagnose(testConfig(home), deps, { asksHub: false });
    expect(engine).toBeNull();
    expect(outcomes.at(-1)).toMatchObject({ state: 'failed', reason: 'its process was ended by SIGILL' });
    expect(findings.at(-1)).toMatchObject({ title: 'Engine', level: 'failure' });
  });
});

describe('hubFinding', () => {
  async function serverWith(status: number): Promise<string> {
    const server = createServer((_request, response) => response.writeHead(status).end());
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it has a port');
    return `http://127.0.0.1:${address.port}`;
  }

  it.each([
    [200, 'ok'],
    [401, 'ok'],
    [503, 'warning'],
  ])('takes status %i as %s', async (status, level) => {
    expect(await hubFinding(await serverWith(status))).toMatchObject({ title: 'Hub', level });
  });

  it('says why it does not answer', async () => {
    const finding = await hubFinding('http://127.0.0.1:1');
    expect(finding).toMatchObject({ level: 'warning' });
    expect(finding.text).toMatch(/^http:\/\/127\.0\.0\.1:1 does not answer: .+/);
  });
});

it('puts what mends a finding under it', () => {
  expect(renderFinding({ title: 'Engine', level: 'warning', text: 'slow', mend: 'npx osler engine build' })).toBe(
    'warn  Engine      slow\n                  mend it: npx osler engine build',
  );
  expect(renderFinding({ title: 'Node', level: 'ok', text: '24', mend: null })).toBe('ok    Node        24');
});
