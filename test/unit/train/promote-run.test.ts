import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJsonAtomically } from '../../../src/core/atomic-file.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { openStore } from '../../../src/core/store.ts';
import { certificateFile } from '../../../src/train/certificate/certificate-file.ts';
import { checkCertifiedFile } from '../../../src/train/certificate/certified-file.ts';
import type { Finding } from '../../../src/train/certificate/check.ts';
import { ModelStore } from '../../../src/train/model-store.ts';
import { promoteRun } from '../../../src/train/promote-run.ts';
import { resolveModel } from '../../../src/train/resolve-model.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { errorOf } from '../../support/error-of.ts';
import { FixedClock } from '../../support/fixed-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testConfig } from '../../support/test-home.ts';
import { certificateOf } from './certificate/certificate-fixture.ts';

const clock = new FixedClock('2026-11-24T12:00:00.000Z');

async function homeWithModels(...ids: string[]) {
  const home = temporaryFolder();
  const models = new ModelStore(openStore(':memory:'));
  for (const id of ids) {
    const file = runFolder(home, id).gguf('q8_0');
    await mkdir(path.dirname(file), { recursive: true });
    writeFileSync(file, 'weights');
    models.put({
      id,
      runId: id,
      baseRef: 'base',
      transformersDir: null,
      ggufFile: file,
      ggufSha256: sha256('weights'),
      templateFile: null,
      status: 'candidate',
      createdAt: '2026-11-24T10:00:00.000Z',
    });
  }
  const certify = async (id: string, finding?: Finding): Promise<void> =>
    writeJsonAtomically(
      certificateFile(runFolder(home, id)),
      certificateOf([{ path: 'merged-q8_0.gguf', bytes: 7, sha256: sha256('weights') }], finding),
    );
  const promote = async (id: string, forcedReason: string | null = null) =>
    promoteRun({ home, models, clock }, id, { actor: 'osler', forcedReason });
  return { home, models, certify, promote };
}

describe('promoteRun', () => {
  it('makes a certified model the one that "tuned" names, and the former one a candidate again', async () => {
    const { home, models, certify, promote } = await homeWithModels('run-1', 'run-2');
    await certify('run-1');
    await certify('run-2');
    expect(await promote('run-1')).toMatchObject({ isPromoted: true, formerId: null });
    expect(await promote('run-2')).toMatchObject({ isPromoted: true, formerId: 'run-1', promotion: { actor: 'osler', problems: [] } });
    expect(models.find('run-1')?.status).toBe('candidate');
    expect(models.findPromoted()?.id).toBe('run-2');
    const resolved = await resolveModel('tuned', null, { config: testConfig(home), models });
    expect(resolved.ggufFile).toBe(runFolder(home, 'run-2').gguf('q8_0'));
    expect(models.listPromotions().map(({ modelId }) => modelId)).toEqual(['run-2', 'run-1']);
  });

  it('refuses a model without certificate, and says how to make one', async () => {
    const { models, promote } = await homeWithModels('run-1');
    expect(await promote('run-1')).toEqual({
      isPromoted: false,
      problems: ['It has no certificate. Make one with: npx osler certify run-1'],
    });
    expect(models.findPromoted()).toBeUndefined();
  });

  it('refuses a certificate that failed, with the line that failed', async () => {
    const { certify, promote } = await homeWithModels('run-1');
    await certify('run-1', { problems: ['The adapter is not merged.'] });
    const outcome = await promote('run-1');
    expect(outcome).toMatchObject({ isPromoted: false });
    expect('problems' in outcome && outcome.problems.join('')).toContain(
      'update/q8_0 (The file holds the adapter’s update): The adapter is not merged.',
    );
  });

  it('refuses a file whose bytes were flipped after it was certified', async () => {
    const { home, certify, promote } = await homeWithModels('run-1');
    await certify('run-1');
    const file = runFolder(home, 'run-1').gguf('q8_0');
    writeFileSync(file, 'weightz');
    const outcome = await promote('run-1');
    expect('problems' in outcome && outcome.problems.join('')).toMatch(/files\/run\): "merged-q8_0.gguf" has other bytes/);
    expect((await errorOf(() => checkCertifiedFile(file, sha256('weightz')))).code).toBe('OSLER_ERR_CERTIFICATE_BROKEN');
    await checkCertifiedFile(file, sha256('weights'));
  });

  it('promotes against its gates for a reason, and keeps who, when, why and what was against it', async () => {
    const { models, promote } = await homeWithModels('run-1');
    expect(await promote('run-1', 'for a demonstration')).toMatchObject({ isPromoted: true });
    expect(models.listPromotions()).toEqual([
      {
        modelId: 'run-1',
        at: clock.now().toISOString(),
        actor: 'osler',
        forcedReason: 'for a demonstration',
        problems: ['It has no certificate. Make one with: npx osler certify run-1'],
      },
    ]);
  });

  it('does not call forced what nothing was against', async () => {
    const { models, certify, promote } = await homeWithModels('run-1');
    await certify('run-1');
    await promote('run-1', 'to be sure');
    expect(models.listPromotions()[0]?.forcedReason).toBeNull();
  });

  it('knows no model of another name', async () => {
    const { promote } = await homeWithModels();
    expect((await errorOf(() => promote('run-9'))).code).toBe('OSLER_ERR_NOT_FOUND');
  });
});

it('"tuned" names nothing while no model is promoted, and the error says what to do', async () => {
  const { home, models } = await homeWithModels('run-1');
  const error = await errorOf(() => resolveModel('tuned', null, { config: testConfig(home), models }));
  expect(error.code).toBe('OSLER_ERR_MODEL_NOT_PROMOTED');
  expect(error.message).toContain('npx osler promote');
});
