import path from 'node:path';
import { writeFileAtomically, writeJsonAtomically } from '../../core/atomic-file.ts';
import type { Clock } from '../../core/clock.ts';
import { OSLER_ERR_CERTIFICATE_MEASURE } from '../../core/errors.ts';
import { Certificate, type CertificateCheck, type CertifiedFile, checkKinds } from '../../core/schema/certificate.ts';
import type { GgufType } from '../../core/schema/gguf-type.ts';
import type { Run } from '../../core/schema/run.ts';
import type { RunExport } from '../export/run-export.ts';
import type { ReportStep } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import { readSource, type RunSource } from '../run-source.ts';
import { answerPrompts, readTexts } from './behaviour.ts';
import { behaviourChecks, type Behaviours } from './behaviour-checks.ts';
import { certificateFile, certificatePageFile } from './certificate-file.ts';
import { certificatePage } from './certificate-page.ts';
import type { ExportedModel, OpenExported } from './exported-model.ts';
import { baseFilesCheck, describeFile, filesCheck, listCertifiedFiles, listMadeFiles } from './file-checks.ts';
import { hasRandomWeights } from './limits.ts';
import { type LoadedReference, readReference } from './reference.ts';
import { tokenChecks } from './token-checks.ts';
import { ggufChecks, hasWrongWeights, mergeChecks } from './weight-checks.ts';
import { makeReference, measureWeights } from './weight-measures.ts';

/** Room beyond the longest text: the engine reads a last token anew. */
const spareTokens = 16;

/** What a run left behind, to be certified. */
export interface CertifyInput {
  readonly run: Pick<Run, 'id' | 'recipe'>;
  readonly folder: RunFolder;
  /** Folder of the base's 16-bit weights. */
  readonly baseDir: string;
  readonly exported: RunExport;
}

export interface CertifyDeps {
  readonly clock: Clock;
  /** Interpreter that has the trainer's requirements. */
  readonly python: string;
  readonly open: OpenExported;
  /** The base's own export of a type, made where it is not there yet. */
  readonly baseGguf: (type: GgufType) => Promise<string>;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
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
  let device = '';
  for (const [index, { type, file }] of exported.ggufs.entries()) {
    const measures = weights.ggufs[index];
    if (measures !== undefined) checks.push(...ggufChecks(type, measures));
    const read = await checkFile(
      { type, file: path.join(folder.root, file), hasWrongWeights: hasWrongWeights(checks, type) },
      input,
      deps,
      loaded,
    );
    checks.push(...read.checks);
    ({ device } = read);
  }
  const certificate = certificateOf({ run, source, exported, files, loaded, device, checks, createdAt: deps.clock.now().toISOString() });
  await writeJsonAtomically(certificateFile(folder), certificate);
  await writeFileAtomically(certificatePageFile(folder), certificatePage(certificate));
  return certificate;
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
  const recorded = source?.base.files ?? reference.baseFiles;
  return baseFilesCheck(recorded, await Promise.all(recorded.map(async (file) => await describeFile(baseDir, file.path))));
}

interface ExportedFile {
  readonly type: GgufType;
  readonly file: string;
  readonly hasWrongWeights: boolean;
}

/** All lines about one file that need it loaded. */
async function checkFile(
  exported: ExportedFile,
  input: CertifyInput,
  deps: CertifyDeps,
  loaded: LoadedReference,
): Promise<{ checks: CertificateCheck[]; device: string }> {
  const { type, file } = exported;
  const { reference, distributions } = loaded;
  const contextTokens =
    spareTokens +
    Math.max(
      ...reference.texts.map(({ ids }) => ids.length),
      ...reference.prompts.map(({ ids }, index) => ids.length + (reference.arms.merged.greedy[index]?.ids.length ?? 0)),
    );
  const withModel = async <T>(
    place: string,
    adapter: string | null,
    work: (model: ExportedModel, arm: ExportedModel | undefined) => Promise<T>,
  ): Promise<T> => {
    deps.signal?.throwIfAborted();
    const models = await deps.open(place, adapter, contextTokens);
    try {
      const [model, arm] = models;
      if (model === undefined) throw new Error('opening a file gives one model or more');
      return await work(model, arm);
    } finally {
      await Promise.all(models.map((model) => model.close()));
    }
  };
  deps.onStep?.(`certify: read and answer with ${type}`);
  const merged = await withModel(file, null, async (model) => ({
    checks: await tokenChecks(type, model, reference),
    device: model.device,
    behaviour: exported.hasWrongWeights
      ? undefined
      : {
          reading: await readTexts(model, reference, distributions.merged),
          agreement: await answerPrompts(model, reference, reference.arms.merged.greedy),
        },
  }));
  const { behaviour } = merged;
  if (behaviour === undefined) {
    const notRun = 'The weights are wrong (see above), so what this file answers measures nothing.';
    return { device: merged.device, checks: [...merged.checks, ...behaviourChecks(type, { notRun })] };
  }
  const baseFile = await deps.baseGguf(type);
  deps.onStep?.(`certify: the same with the base as ${type}, for the limits`);
  const adapterFile = input.exported.adapterGguf === null ? null : path.join(input.folder.root, input.exported.adapterGguf.file);
  const beside = await withModel(baseFile, adapterFile, async (model, arm) => ({
    base: {
      reading: await readTexts(model, reference, distributions.base),
      agreement: await answerPrompts(model, reference, reference.arms.base.greedy),
    },
    adapter: arm === undefined ? null : await readTexts(arm, reference, distributions.merged),
  }));
  const behaviours: Behaviours = {
    merged: behaviour,
    ...beside,
    hasRandomWeights: hasRandomWeights(reference.arms.base.nll, reference.vocabulary),
    tuningKl: reference.tuning.kl,
  };
  return { device: merged.device, checks: [...merged.checks, ...behaviourChecks(type, behaviours)] };
}

interface CertificateParts {
  readonly run: CertifyInput['run'];
  readonly source: RunSource | undefined;
  readonly exported: RunExport;
  readonly files: CertifiedFile[];
  readonly loaded: LoadedReference;
  readonly device: string;
  readonly checks: readonly CertificateCheck[];
  readonly createdAt: string;
}

function certificateOf({ run, source, exported, files, loaded, device, checks, createdAt }: CertificateParts): Certificate {
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
