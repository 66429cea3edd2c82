import type { CertificateCheck } from '../../core/schema/certificate.ts';
import { type GgufType, quantisedGgufTypes } from '../../core/schema/gguf-type.ts';
import { checkOf } from './check.ts';
import type { WeightMeasures } from './weight-measures.ts';

/**
 * How far the share of the update that a file holds may be from 1. Rounding has no direction and averages out over millions of weights,
 * unless the base's own weights lie on a grid: those of a model that had been 4-bit were seen to give 0.94 to 1.08, and a tiny update
 * of it -0.14.
 */
const maxUpdateError = 0.25;
/** Largest standard error of a share that is judged: a merged file (1) and the bare base (0) are then twenty of them apart. */
const maxShareError = 0.05;

type GgufMeasures = WeightMeasures['ggufs'][number];

/** What is known of one file beside its own tensors. */
export interface UpdateContext {
  /** Why its update is not looked for. */
  readonly notRun: string | undefined;
  /** Whether llama-quantize makes the same tensors of the merged model; undefined: it was not asked to. */
  readonly isMadeAnew: boolean | undefined;
}

/**
 * Whether only llama-quantize can tell if a file holds the update: the share that is seen in it is none of a merged file, or is no share
 * of anything but noise. Formats of the converter are compared to the bit without it.
 */
export function isUpdateInDoubt(type: GgufType, measures: GgufMeasures): boolean {
  const { updateShare, different } = measures;
  const isQuantised = quantisedGgufTypes.some((quantised) => quantised === type);
  return isQuantised && updateShare !== null && different.length === 0 && !isSeen(measures);
}

function holdsUpdate(measures: GgufMeasures, isMadeAnew: boolean | undefined): boolean {
  return isSeen(measures) || isToTheBit(measures) || isMadeAnew === true;
}

/** The line about the adapter's update in one file. */
export function updateCheck(type: string, measures: GgufMeasures, { notRun, isMadeAnew }: UpdateContext): CertificateCheck {
  const { updateShare, updateShareError, different } = measures;
  const [share, error] = [updateShare ?? 0, updateShareError ?? 0];
  const isDamaged = error > maxShareError && different.length > 0;
  return checkOf('update', type, {
    notRun:
      notRun ??
      (updateShare === null ? 'The merged model is the base to the bit, so there is no update to look for.' : undefined) ??
      (isDamaged ? `The update is too small to be seen in a file whose tensors are others (see weights/${type}).` : undefined),
    problems: holdsUpdate(measures, isMadeAnew) ? [] : [problemOf(share, error, isMadeAnew)],
    found: foundOf(type, measures, isMadeAnew),
    figures: { updateShare: share, updateShareError: error, ...(isMadeAnew !== undefined && { madeAnew: Number(isMadeAnew) }) },
    limits: { updateShareLeast: 1 - maxUpdateError, updateShareMost: 1 + maxUpdateError, updateShareError: maxShareError },
  });
}

function isSeen({ updateShare, updateShareError }: GgufMeasures): boolean {
  return updateShare !== null && Math.abs(updateShare - 1) <= maxUpdateError && (updateShareError ?? 0) <= maxShareError;
}

function isToTheBit({ exact, tensors, different }: GgufMeasures): boolean {
  return exact === tensors && different.length === 0;
}

function foundOf(type: string, measures: GgufMeasures, isMadeAnew: boolean | undefined): string {
  const share = shareOf(measures.updateShare ?? 0, measures.updateShareError ?? 0);
  if (isSeen(measures)) return `The file holds ${share} of the adapter's update.`;
  const proof = isMadeAnew === true ? `, quantised anew, to the bit` : `, rounded to ${type}, to the bit`;
  return `The file is the merged model${proof}. The update itself is smaller than what ${type} can tell apart: ${share} of it is seen, and a file without it might show as much. Train longer, or export bf16 or f16.`;
}

function problemOf(share: number, error: number, isMadeAnew: boolean | undefined): string {
  const anew = isMadeAnew === false ? ' llama-quantize makes other tensors of the merged model.' : '';
  const seen = `The file holds ${shareOf(share, error)} of the adapter's update`;
  if (error > maxShareError)
    return `${seen}, which is too small to be seen through the rounding, and the file is not the merged model to the bit.${anew} The adapter may not be merged, or another release of llama.cpp made the file. Export it again from merged/.`;
  if (Math.abs(share) <= maxUpdateError)
    return `${seen}: it is the bare base, the adapter is not merged.${anew} Export it again from merged/.`;
  return `${seen}, and 100 % is wanted: it was merged with another strength, more than once, or another adapter was.${anew}`;
}

function shareOf(share: number, error: number): string {
  return `${(100 * share).toFixed(2)} % (± ${(100 * error).toFixed(2)})`;
}
