import { Certificate } from '../../../../src/core/schema/certificate.ts';
import { checkOf, type Finding } from '../../../../src/train/certificate/check.ts';

/** A certificate of one file with one check, as the tests want it. */
export function certificateOf(files: Certificate['subject']['files'], finding: Finding = { found: 'All is well.' }): Certificate {
  const check = checkOf('update', 'q8_0', finding);
  return Certificate.parse({
    schemaVersion: 1,
    runId: 'run-1',
    createdAt: '2026-11-24T10:00:00.000Z',
    passed: check.status !== 'failed',
    subject: { base: { ref: 'base', revision: null }, adapterSha256: null, ggufs: [], files },
    method: {
      isHeldOut: true,
      prompts: 8,
      texts: 6,
      places: 192,
      maxRest: 0.001,
      reference: 'cpu, float32',
      engine: 'CPU',
      hasRandomWeights: false,
      baseNll: 4.3,
      mergedNll: 3.1,
      tuningKl: 0.2,
      inMemoryKl: null,
    },
    checks: [check],
  } satisfies Certificate);
}
