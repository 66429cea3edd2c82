import { Certificate, type CertificateCheck, type CertifiedFile, checkKinds } from '../../core/schema/certificate.ts';
import type { Run } from '../../core/schema/run.ts';
import type { RunExport } from '../export/run-export.ts';
import type { RunSource } from '../run-source.ts';
import { hasRandomWeights } from './limits.ts';
import type { LoadedReference } from './reference.ts';

/** What a certificate is made of. */
export interface CertificateParts {
  readonly run: Pick<Run, 'id' | 'recipe'>;
  readonly source: RunSource | undefined;
  readonly exported: RunExport;
  readonly files: CertifiedFile[];
  readonly loaded: LoadedReference;
  readonly device: string;
  readonly checks: readonly CertificateCheck[];
  readonly createdAt: string;
}

/** The certificate, its lines in the order of their causes. */
export function composeCertificate({ run, source, exported, files, loaded, device, checks, createdAt }: CertificateParts): Certificate {
  const { reference } = loaded;
  const digestOf = (name: string): string | null => files.find((file) => file.path === name)?.sha256 ?? null;
  return Certificate.parse({
    schemaVersion: 1,
    runId: run.id,
    createdAt,
    passed: checks.every(({ status }) => status !== 'failed'),
    subject: {
      base: { ref: source?.base.ref ?? run.recipe.base.ref, revision: source?.base.revision ?? run.recipe.base.revision },
      adapterSha256: digestOf('adapter/adapter_model.safetensors'),
      ggufs: exported.ggufs.map(({ type, file, sha256 }) => ({ type, path: file, sha256: digestOf(file) ?? sha256 })),
      files,
    },
    method: {
      isHeldOut: reference.isHeldOut,
      prompts: reference.prompts.length,
      texts: reference.texts.length,
      places: reference.texts.reduce((sum, { places }) => sum + places.length, 0),
      maxRest: reference.maxRest,
      reference: `${reference.computedIn.device}, ${reference.computedIn.dtype}`,
      engine: device,
      hasRandomWeights: hasRandomWeights(reference.arms.base.nll, reference.vocabulary),
      baseNll: reference.arms.base.nll,
      mergedNll: reference.arms.merged.nll,
      tuningKl: reference.tuning.kl,
      inMemoryKl: reference.inMemory?.kl ?? null,
    },
    checks: checks.toSorted((a, b) => checkKinds.indexOf(a.kind) - checkKinds.indexOf(b.kind)),
  } satisfies Certificate);
}
