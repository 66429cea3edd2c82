import path from 'node:path';
import { writeFileAtomically, writeJsonAtomically } from '../../core/atomic-file.ts';
import type { Clock } from '../../core/clock.ts';
import { OSLER_ERR_CERTIFICATE_MEASURE } from '../../core/errors.ts';
import type { Certificate, CertificateCheck, CertifiedFile } from '../../core/schema/certificate.ts';
import type { GgufType } from '../../core/schema/gguf-type.ts';
import type { Run } from '../../core/schema/run.ts';
import type { RunExport } from '../export/run-export.ts';
import type { RunFolder } from '../run-folder.ts';
import { readSource, type RunSource } from '../run-source.ts';
import { certificateFile, certificatePageFile } from './certificate-file.ts';
import { certificatePage } from './certificate-page.ts';
import { checkExportedFile, type CheckExportedFileDeps } from './check-exported-file.ts';
import { composeCertificate } from './compose-certificate.ts';
import { baseFilesCheck, describeFile, filesCheck, listCertifiedFiles, listMadeFiles } from './file-checks.ts';
import { type LoadedReference, readReference } from './reference.ts';
import { isUpdateInDoubt } from './update-check.ts';
import { ggufChecks, hasWrongWeights, mergeChecks } from './weight-checks.ts';
import { makeReference, measureWeights, type WeightMeasures } from './weight-measures.ts';

/** What a run left behind, to be certified. */
export interface CertifyInput {
  readonly run: Pick<Run, 'id' | 'recipe'>;
  readonly folder: RunFolder;
  /** Folder of the base's 16-bit weights. */
  readonly baseDir: string;
  readonly exported: RunExport;
}

export interface CertifyDeps extends CheckExportedFileDeps {
  readonly clock: Clock;
  /** Interpreter that has the trainer's requirements. */
  readonly python: string;
  /** Quantises the merged model anew: of each type whether the exported file has the same tensors. */
  readonly quantiseAnew: (types: readonly GgufType[]) => Promise<ReadonlyMap<GgufType, boolean>>;
}

/**
 * Holds what a run exported against what it trained, by all checks, and writes certificate.json and certificate.md into the run.
 * A failed check is a line of the certificate and no error.
 *
 * @throws OSLER_ERR_CERTIFICATE_MEASURE where something could not be measured, and what opening a model throws
 */
export async function certifyRun(input: CertifyInput, deps: CertifyDeps): Promise<Certificate> {
  const { folder, exported, run } = input;
  deps.onStep?.('certify: checksums');
  const files = await listCertifiedFiles(folder, exported);
  const made = await listMadeFiles(folder, exported);
  const loaded = await loadReference(input, deps, files);
  const source = await readSource(folder);
  const checks = [filesCheck(made, files), await checkBase(input, source, loaded)];

  deps.onStep?.('certify: compare every tensor of the export with base and adapter');
  const ggufs = exported.ggufs.map(({ file }) => path.join(folder.root, file));
  const weights = await measureWeights(
    deps.python,
    { base: input.baseDir, adapter: folder.adapter, merged: folder.merged, ggufs },
    deps.signal,
  );
  checks.push(...mergeChecks(weights));
  const anew = await quantiseDoubted(exported, weights, deps);
  let device = '';
  for (const [index, { type, file }] of exported.ggufs.entries()) {
    const measures = weights.ggufs[index];
    if (measures !== undefined) checks.push(...ggufChecks(type, measures, anew.get(type)));
    const read = await checkExportedFile(
      {
        type,
        file: path.join(folder.root, file),
        adapterFile: exported.adapterGguf === null ? null : path.join(folder.root, exported.adapterGguf.file),
        problem: measures?.problem ?? null,
        hasWrongWeights: hasWrongWeights(checks, type),
      },
      deps,
      loaded,
    );
    checks.push(...read.checks);
    device ||= read.device;
  }
  const certificate = composeCertificate({
    run,
    source,
    exported,
    files,
    loaded,
    device,
    checks,
    createdAt: deps.clock.now().toISOString(),
  });
  await writeJsonAtomically(certificateFile(folder), certificate);
  await writeFileAtomically(certificatePageFile(folder), certificatePage(certificate));
  return certificate;
}

/** Only types whose update cannot be seen: quantising 8 billion weights takes minutes, and a clear share needs no proof. */
async function quantiseDoubted(
  exported: RunExport,
  weights: WeightMeasures,
  { quantiseAnew }: CertifyDeps,
): Promise<ReadonlyMap<GgufType, boolean>> {
  const types = exported.ggufs.flatMap(({ type }, index) => {
    const measures = weights.ggufs[index];
    return measures !== undefined && isUpdateInDoubt(type, measures) ? [type] : [];
  });
  return types.length > 0 ? await quantiseAnew(types) : new Map();
}

/** The run's reference, made anew where there is none or the merged weights have changed since. */
async function loadReference({ folder }: CertifyInput, deps: CertifyDeps, files: readonly CertifiedFile[]): Promise<LoadedReference> {
  const isFresh = ({ reference }: LoadedReference): boolean =>
    reference.mergedFiles.every(({ path: name, sha256 }) => files.some((file) => file.path === `merged/${name}` && file.sha256 === sha256));
  const found = await readReference(folder.root);
  if (found !== undefined && isFresh(found)) return found;
  deps.onStep?.('certify: let base and merged model answer in Python');
  await makeReference(deps.python, folder.job, deps.signal);
  const made = await readReference(folder.root);
  if (made === undefined) throw new OSLER_ERR_CERTIFICATE_MEASURE('reference', 'it wrote no reference/reference.json');
  return made;
}

async function checkBase(
  { baseDir }: CertifyInput,
  source: RunSource | undefined,
  { reference }: LoadedReference,
): Promise<CertificateCheck> {
  const began = source?.base.files ?? [];
  // Of a base that unsloth fetched, the trainer saw no weights before it merged.
  const recorded = [...began, ...reference.baseFiles.filter(({ path: name }) => !began.some((file) => file.path === name))];
  const present = await Promise.all(recorded.map(async (file) => await describeFile(baseDir, file.path)));
  return baseFilesCheck(recorded, present, reference.baseFiles);
}
