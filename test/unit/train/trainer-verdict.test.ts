import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import type { TrainerOutcome } from '../../../src/train/follow-trainer.ts';
import { NoiseLog } from '../../../src/train/noise-log.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { checkFinished } from '../../../src/train/trainer-verdict.ts';

const at = '2026-11-24T09:00:00.000Z';

function outcome(changes: Partial<TrainerOutcome>): TrainerOutcome {
  return { end: null, ailment: null, lost: null, lastStep: { step: 7, totalSteps: 60 }, artifacts: [], noise: new NoiseLog(), ...changes };
}

async function verdict(changes: Partial<TrainerOutcome>, log = ''): Promise<string> {
  const folder = { ...runFolder(temporaryFolder(), ''), root: temporaryFolder(), log: `${temporaryFolder()}/trainer.log` };
  writeFileSync(folder.log, log);
  const { code, message } = await errorOf(async () => await checkFinished('run-1', outcome(changes), folder));
  return `${code} ${message}`;
}

describe('checkFinished', () => {
  it('has nothing to say of a trainer that finished, even one that had to be ended after that', async () => {
    const end = { type: 'finished', at, steps: 60, finalLoss: 1, trainSeconds: 1, peakMemoryBytes: null } as const;
    await expect(checkFinished('run-1', outcome({ end }), runFolder('/none', 'run-1'))).resolves.toBeUndefined();
  });

  it('tells how far a stopped one came', async () => {
    expect(await verdict({ end: { type: 'stopped', at, step: 7, totalSteps: 60 } })).toBe(
      'OSLER_ERR_INTERRUPTED Run "run-1" was stopped after step 7 of 60, and a checkpoint was saved. Go on with: npx osler train --resume run-1',
    );
    expect(await verdict({ end: { type: 'stopped', at, step: 0, totalSteps: 0 } })).toContain(
      'was stopped before its first step. Go on with',
    );
  });

  it('repeats a failure with its next step', async () => {
    const end = { type: 'failed', at, reason: 'outOfMemory', message: 'no room at batch 8', nextStep: 'set the batch to 4.' } as const;
    expect(await verdict({ end })).toBe(
      'OSLER_ERR_RUN_FAILED Run "run-1" failed: no room at batch 8. Next: set the batch to 4. Go on with: npx osler train --resume run-1',
    );
  });

  it('says what ailed one that was ended, or that it is out of reach', async () => {
    expect(await verdict({ ailment: 'had been silent since noon (3 min)' })).toContain(
      'the trainer had been silent since noon (3 min) after step 7 of 60, and was ended. Go on with',
    );
    expect(await verdict({ lost: '"gpu" does not answer.', lastStep: null })).toContain(
      'any more before its first step: "gpu" does not answer.',
    );
  });

  it('quotes the log of one that ended without a word, and what it wrote that is no event', async () => {
    const noise = new NoiseLog();
    noise.add('Segmentation fault');
    const text = await verdict({ noise }, 'first\nTraceback\nKilled\n');
    expect(text).toMatch(
      /ended without a word after step 7 of 60\. Its log ends with:\nfirst\nTraceback\nKilled\nGo on from the last checkpoint/,
    );
    expect(text).toMatch(/It wrote 1 line that is no event: "Segmentation fault"\.$/);
  });
});
