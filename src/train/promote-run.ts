import type { Clock } from '../core/clock.ts';
import { OSLER_ERR_NOT_FOUND } from '../core/errors.ts';
import { firstFailure } from '../core/schema/certificate.ts';
import { readCertificate } from './certificate/certificate-file.ts';
import { changedFiles, describeFile } from './certificate/file-checks.ts';
import type { ModelStore, Promotion } from './model-store.ts';
import { type RunFolder, runFolder } from './run-folder.ts';

export interface PromoteRunDeps {
  readonly home: string;
  readonly models: ModelStore;
  readonly clock: Clock;
}

export interface PromoteRunOptions {
  /** Who asks for it, for the record. */
  readonly actor: string;
  /** Why it is to be promoted whatever the gates say; null: they decide. */
  readonly forcedReason: string | null;
}

/** What came of it. */
export type PromotionOutcome =
  | { readonly isPromoted: true; readonly promotion: Promotion; readonly formerId: string | null }
  | { readonly isPromoted: false; readonly problems: readonly string[] };

/** Something that a candidate must pass: what it has against it, a sentence each. */
type PromotionGate = (runId: string, folder: RunFolder) => Promise<readonly string[]>;

/** In the order in which they are told. */
const gates: readonly PromotionGate[] = [certificateGate];

/**
 * Makes a run's model the one that `tuned` stands for, if no gate has anything against it or a reason is given to pass them over.
 * Who did so, when and why is kept.
 *
 * @throws OSLER_ERR_NOT_FOUND
 */
export async function promoteRun(deps: PromoteRunDeps, runId: string, options: PromoteRunOptions): Promise<PromotionOutcome> {
  const { home, models, clock } = deps;
  const model = models.find(runId);
  if (model === undefined) throw new OSLER_ERR_NOT_FOUND('model', runId);
  const folder = runFolder(home, model.runId ?? runId);
  const problems: string[] = [];
  for (const gate of gates) problems.push(...(await gate(runId, folder)));
  if (problems.length > 0 && options.forcedReason === null) return { isPromoted: false, problems };
  const former = models.findPromoted();
  const promotion: Promotion = {
    modelId: runId,
    at: clock.now().toISOString(),
    actor: options.actor,
    forcedReason: problems.length > 0 ? options.forcedReason : null,
    problems,
  };
  models.promote(promotion);
  return { isPromoted: true, promotion, formerId: former === undefined || former.id === runId ? null : former.id };
}

/** A certificate that passed, of the files as they are now. */
async function certificateGate(runId: string, folder: RunFolder): Promise<readonly string[]> {
  const certificate = await readCertificate(folder);
  if (certificate === undefined) return [`It has no certificate. Make one with: npx osler certify ${runId}`];
  const failure = firstFailure(certificate);
  const present = await Promise.all(certificate.subject.files.map(async ({ path: name }) => await describeFile(folder.root, name)));
  const changes = changedFiles(certificate.subject.files, present);
  return [
    ...(failure === undefined ? [] : [`Its certificate failed at ${failure.id} (${failure.title}): ${failure.detail}`]),
    ...(changes.length === 0
      ? []
      : [`Files have changed since it was certified (files/run): ${changes.join('; ')}. Restore them, or export and certify again.`]),
  ];
}
