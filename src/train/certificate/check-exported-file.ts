import type { CertificateCheck } from '../../core/schema/certificate.ts';
import type { GgufType } from '../../core/schema/gguf-type.ts';
import type { ReportStep } from '../python-environment.ts';
import { answerPrompts, readTexts } from './behaviour.ts';
import { behaviourChecks } from './behaviour-checks.ts';
import type { ExportedModel, OpenExported } from './exported-model.ts';
import { hasRandomWeights } from './limits.ts';
import type { LoadedReference, Reference } from './reference.ts';
import { tokenChecks, tokenChecksNotRun } from './token-checks.ts';

/** Room beyond the longest text: the engine reads a last token anew. */
const spareTokens = 16;

/** One GGUF file to be loaded, and what is known of it before. */
export interface ExportedFile {
  readonly type: GgufType;
  readonly file: string;
  /** The adapter's GGUF; null: none was made. */
  readonly adapterFile: string | null;
  /** Why it cannot be loaded; null: it can. */
  readonly problem: string | null;
  readonly hasWrongWeights: boolean;
}

export interface CheckExportedFileDeps {
  readonly open: OpenExported;
  /** The base's own export of a type, made where it is not there yet. */
  readonly baseGguf: (type: GgufType) => Promise<string>;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** All lines about one file that need it loaded, and the device that it was loaded on. */
export async function checkExportedFile(
  exported: ExportedFile,
  deps: CheckExportedFileDeps,
  loaded: LoadedReference,
): Promise<{ checks: CertificateCheck[]; device: string }> {
  const { type, file, problem } = exported;
  const { reference, distributions } = loaded;
  if (problem !== null) {
    const notRun = `The file cannot be loaded (see weights/${type}).`;
    return { device: '', checks: [...tokenChecksNotRun(type, notRun), ...behaviourChecks(type, { notRun })] };
  }
  deps.onStep?.(`certify: read and answer with ${type}`);
  const merged = await withModels(deps, file, null, reference, async (model) => ({
    device: model.device,
    tokenChecks: await tokenChecks(type, model, reference),
    behaviour: exported.hasWrongWeights
      ? undefined
      : {
          reading: await readTexts(model, reference, distributions.merged),
          agreement: await answerPrompts(model, reference, reference.arms.merged.greedy),
        },
  }));
  const { device, behaviour } = merged;
  if (behaviour === undefined) {
    const notRun = 'The weights are wrong (see above), so what this file answers measures nothing.';
    return { device, checks: [...merged.tokenChecks, ...behaviourChecks(type, { notRun })] };
  }
  const baseFile = await deps.baseGguf(type);
  deps.onStep?.(`certify: the same with the base as ${type}, for the limits`);
  const beside = await withModels(deps, baseFile, exported.adapterFile, reference, async (base, adapter) => ({
    base: {
      reading: await readTexts(base, reference, distributions.base),
      agreement: await answerPrompts(base, reference, reference.arms.base.greedy),
    },
    adapter: adapter === undefined ? null : await readTexts(adapter, reference, distributions.merged),
  }));
  const judged = behaviourChecks(type, {
    merged: behaviour,
    ...beside,
    hasRandomWeights: hasRandomWeights(reference.arms.base.nll, reference.vocabulary),
    tuningKl: reference.tuning.kl,
  });
  return { device, checks: [...merged.tokenChecks, ...judged] };
}

/** Opens a file, with an adapter over it where there is one, for as long as the work takes. */
async function withModels<T>(
  { open, signal }: CheckExportedFileDeps,
  file: string,
  adapterFile: string | null,
  reference: Reference,
  work: (model: ExportedModel, adapter: ExportedModel | undefined) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const models = await open(file, adapterFile, spareTokens + longestTokens(reference));
  try {
    const [model, adapter] = models;
    if (model === undefined) throw new Error('opening a file gives one model or more');
    return await work(model, adapter);
  } finally {
    await Promise.all(models.map((model) => model.close()));
  }
}

function longestTokens({ texts, prompts, arms }: Reference): number {
  const answered = prompts.map(({ ids }, index) => ids.length + (arms.merged.greedy[index]?.ids.length ?? 0));
  return Math.max(...texts.map(({ ids }) => ids.length), ...answered);
}
