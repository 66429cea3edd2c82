import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { askTrainer } from '../../../../src/train/preflight/ask-trainer.ts';
import { hostReport } from '../../../support/host-report.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const circumstances = { hasWeights: true, exportsThere: true, isBusy: false };

/** A program in the place of Python that prints what it was called with on stderr, and these lines on stdout. */
async function pythonThatPrints(lines: readonly string[], exitCode = 0): Promise<string> {
  const file = path.join(temporaryFolder(), 'python');
  await writeFile(file, `#!/bin/sh\necho "$@" >&2\ncat <<'END'\n${lines.join('\n')}\nEND\nexit ${exitCode}\n`);
  await chmod(file, 0o755);
  return file;
}

describe('askTrainer', () => {
  it('calls the trainer with the job and gives its report', async () => {
    const report = hostReport();
    expect(await askTrainer({ python: await pythonThatPrints([JSON.stringify(report)]), job: '/tmp/job.json', circumstances })).toEqual({
      kind: 'report',
      report,
    });
  });

  it('tells it what else is known', async () => {
    const python = await pythonThatPrints([], 1);
    const known = { hasWeights: false, exportsThere: false, isBusy: true };
    expect(await askTrainer({ python, job: 'job.json', circumstances: known })).toMatchObject({
      why: expect.stringContaining('--job job.json --without-weights --export-elsewhere --busy'),
    });
  });

  it('says what the trainer says of a job that it cannot use', async () => {
    const failed = { type: 'failed', at: '2026-11-24T00:00:00Z', reason: 'badJob', message: 'no EOS', nextStep: 'set eos_token' };
    const python = await pythonThatPrints([JSON.stringify(failed)], 2);
    expect(await askTrainer({ python, job: 'job.json', circumstances })).toEqual({ kind: 'refused', why: 'no EOS; set eos_token' });
  });

  it.each([
    ['nothing', []],
    ['half a report', [JSON.stringify(hostReport()).slice(0, 99)]],
    ['a report of another shape', [JSON.stringify({ ...hostReport(), schemaVersion: 2 })]],
  ])('says how it ended and what it logged where it prints %s', async (_title, lines) => {
    const reply = await askTrainer({ python: await pythonThatPrints(lines, 1), job: '/tmp/job.json', circumstances });
    expect(reply).toEqual({ kind: 'silent', why: expect.stringContaining('ended with 1 and no report') });
    expect(reply).toEqual({ kind: 'silent', why: expect.stringContaining('-m osler_trainer preflight --job /tmp/job.json') });
  });
});
