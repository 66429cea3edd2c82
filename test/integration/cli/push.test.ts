import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubServer, startHubServer } from '../../support/hub-server.ts';
import { makePublishedRun, type PublishedRun } from '../../support/published-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type CliResult, runOsler } from '../support/cli.ts';

const token = 'hf_planted_secret_0123456789';
const repo = 'ann/DeepSeek-R1-Medical-COT';

describe('osler push', () => {
  let hub: HubServer;
  let home: string;
  let made: PublishedRun;

  beforeEach(async () => {
    hub = await startHubServer({ pageSize: 100, largeBytes: 10_000 });
    hub.accounts.set(token, { name: 'ann', role: 'write' });
    home = temporaryFolder();
    made = await makePublishedRun(home, { source: { base: { ref: 'my-base', revision: null } } });
  });
  afterEach(() => hub.close());

  const push = async (words: string[] = [], env: Record<string, string> = { HF_TOKEN: token }): Promise<CliResult> =>
    await runOsler(['push', made.run.id, ...words], { home, env: { HF_ENDPOINT: hub.endpoint, ...env } });

  it('pushes privately and says what it sent; the token, also by its other name, stands in no output and no file', async () => {
    const first = await push();
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stdout).toContain(`Pushed to the private repository ${repo}.`);
    expect(first.stdout).toContain('sent model.safetensors (40.0 kB)');
    expect(hub.repository('model', repo)).toMatchObject({ isPrivate: true });
    const second = await push(['--json'], { HUGGINGFACE_TOKEN: token });
    expect(JSON.parse(second.stdout)).toMatchObject({ repo, sent: [] });
    hub.faults.refuse = { host: 'hub', pattern: /whoami/, status: 401, times: 1, message: JSON.stringify({ error: `Invalid ${token}` }) };
    const failed = await push();
    expect(failed.exitCode).toBe(3);
    expect(failed.stderr).toContain('OSLER_ERR_HUB_PUSH');
    for (const { stdout, stderr } of [first, second, failed]) expect(`${stdout}${stderr}`).not.toContain(token);
    const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.some((entry) => entry.name.endsWith('.sqlite'))).toBe(true);
    for (const entry of files) expect((await readFile(path.join(entry.parentPath, entry.name))).includes(token), entry.name).toBe(false);
  });

  it('writes the card and sends nothing in a dry run, with or without a token', async () => {
    for (const env of [{ HF_TOKEN: token }, { HF_TOKEN: '' }]) {
      const dry = await push(['--dry-run', '--what', 'adapter'], env);
      expect(dry.exitCode, dry.stderr).toBe(0);
      expect(dry.stdout).toContain('Dry run: nothing was sent');
      expect(dry.stdout).toContain('would send adapter/adapter_model.safetensors');
    }
    expect(await readFile(path.join(made.folder.root, 'card/README.md'), 'utf8')).toContain('not a medical device');
    expect(hub.repository('model', repo)).toBeUndefined();
  });

  it('explains what is wrong and how to go on', async () => {
    const without = await push([], { HF_TOKEN: '' });
    expect(without).toMatchObject({ exitCode: 3, stdout: '' });
    expect(without.stderr).toContain('set HF_TOKEN');
    expect((await push(['--what', 'weights'])).exitCode).toBe(2);
    hub.addCommit('model', repo, { 'a.txt': { content: Buffer.from('a') } });
    const open = await push();
    expect(open.exitCode).toBe(2);
    expect(open.stderr).toContain('it is public, and a push is private unless you say otherwise');
    const absent = await runOsler(['push', 'run-none'], { home, env: { HF_TOKEN: token } });
    expect(absent.exitCode).toBe(2);
    expect(absent.stderr).toContain('There is no run "run-none"');
  });
});
