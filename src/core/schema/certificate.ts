import { z } from 'zod';

/** The checks by the idea behind them, in the order of the page: causes before what follows from them. */
export const checkKinds = [
  'files',
  'base-files',
  'adapter',
  'base',
  'merge',
  'update',
  'weights',
  'template',
  'tokens',
  'bos',
  'eos',
  'divergence',
  'greedy',
  'arms',
] as const;

/** A file by what it holds. */
export const CertifiedFile = z.strictObject({
  path: z.string().min(1).describe('below the folder of the run, with /'),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type CertifiedFile = z.infer<typeof CertifiedFile>;

/** One line of a certificate. */
export const CertificateCheck = z.strictObject({
  id: z.string().describe('kind/subject, such as divergence/q8_0'),
  kind: z.enum(checkKinds),
  subject: z.string().describe('what was checked: run, adapter, merged, or the type of a GGUF file'),
  title: z.string(),
  status: z.enum(['passed', 'failed', 'notRun']),
  detail: z.string().describe('what was found; where it failed, what is wrong and what to do; where it was not run, why'),
  figures: z.record(z.string(), z.number()).describe('what was measured'),
  limits: z.record(z.string(), z.number()).describe('bounds of those figures, by their names'),
});
export type CertificateCheck = z.infer<typeof CertificateCheck>;

/** certificate.json: whether what a run exported is what it trained. Pages made of it compute nothing. */
export const Certificate = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  createdAt: z.iso.datetime(),
  passed: z.boolean().describe('no check failed'),
  subject: z.strictObject({
    base: z.strictObject({ ref: z.string(), revision: z.string().nullable() }),
    adapterSha256: z.string().nullable(),
    ggufs: z.array(z.strictObject({ type: z.string(), path: z.string(), sha256: z.string() })),
    files: z.array(CertifiedFile).describe('every file that was certified'),
  }),
  method: z.strictObject({
    isHeldOut: z.boolean().describe('the texts are held-out rows; false: rows of the training'),
    prompts: z.int(),
    texts: z.int(),
    places: z.int().describe('next-token distributions that were compared, of each file'),
    maxRest: z.number().describe('probability that the compared tokens leave to all others, at each place'),
    reference: z.string().describe('device and number format of the reference'),
    engine: z.string().describe('device of the engine'),
    hasRandomWeights: z.boolean().describe('the base predicts no better than chance, so token agreement is told and not judged'),
    baseNll: z.number().describe('of the base in Python, nats a token'),
    mergedNll: z.number(),
    tuningKl: z.number().describe('KL(merged || base) in Python: what the training changed'),
    inMemoryKl: z.number().nullable().describe('KL(merged || trained model in memory): what merging onto the 16-bit base changed'),
  }),
  checks: z.array(CertificateCheck),
});
export type Certificate = z.infer<typeof Certificate>;

/** The first line that failed; causes stand before what follows from them. */
export function firstFailure(certificate: Certificate): CertificateCheck | undefined {
  return certificate.checks.find((check) => check.status === 'failed');
}
