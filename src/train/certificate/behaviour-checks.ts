import type { CertificateCheck } from '../../core/schema/certificate.ts';
import { type Agreement, divergenceBetween, type Reading } from './behaviour.ts';
import { checkOf } from './check.ts';
import { armsKlLimit, greedyShareLimit, klLimit } from './limits.ts';

/** What one type of file does, beside the base's own export of that type. */
export interface Behaviours {
  readonly merged: { readonly reading: Reading; readonly agreement: Agreement };
  readonly base: { readonly reading: Reading; readonly agreement: Agreement };
  /** The base's file with the adapter beside it, read where the merged model's reference looks; null: there is no adapter file. */
  readonly adapter: Reading | null;
  readonly hasRandomWeights: boolean;
  /** KL(merged || base) of the references. */
  readonly tuningKl: number;
}

/** The lines about what a file answers. `notRun`: why nothing was measured. */
export function behaviourChecks(type: string, behaviours: Behaviours | { readonly notRun: string }): CertificateCheck[] {
  if ('notRun' in behaviours) return (['divergence', 'greedy', 'arms'] as const).map((kind) => checkOf(kind, type, behaviours));
  return [divergenceCheck(type, behaviours), greedyCheck(type, behaviours), armsCheck(type, behaviours)];
}

function divergenceCheck(type: string, { merged, base, tuningKl }: Behaviours): CertificateCheck {
  const { kl, klWorst, sameTop } = merged.reading;
  const limit = klLimit(base.reading.kl);
  const measured = `KL from the reference is ${show(kl)} nats a token in the mean (${show(klWorst)} at the worst place), the base's own export has ${show(base.reading.kl)}, and ${show(limit)} is allowed`;
  const power =
    limit < tuningKl
      ? ''
      : ` The training itself moved the model by ${show(tuningKl)}, which is less: whether the adapter is in this file is told by update/${type}.`;
  return checkOf('divergence', type, {
    problems: kl <= limit ? [] : [`${measured}: the file does not answer as the model that was trained.`],
    found: `${measured}.${power}`,
    figures: { kl, klWorst, sameTop, baseKl: base.reading.kl, baseSameTop: base.reading.sameTop, tuningKl },
    limits: { kl: limit },
  });
}

function greedyCheck(type: string, { merged, base, hasRandomWeights }: Behaviours): CertificateCheck {
  const { share, equalTokens, tokens, wholeAnswers } = merged.agreement;
  const limit = hasRandomWeights ? 0 : greedyShareLimit(base.agreement.share);
  const measured = `${equalTokens} of ${tokens} tokens are equal before the first difference (${percent(share)}; the base's own export: ${percent(base.agreement.share)}), and ${wholeAnswers} answers to their end`;
  return checkOf('greedy', type, {
    problems: share >= limit ? [] : [`${measured}; ${percent(limit)} is the least allowed.`],
    found: hasRandomWeights ? `${measured}. The weights are random, so this is told and not judged.` : `${measured}.`,
    figures: { share, equalTokens, tokens, wholeAnswers, baseShare: base.agreement.share },
    limits: { shareLeast: limit },
  });
}

function armsCheck(type: string, { merged, base, adapter }: Behaviours): CertificateCheck {
  if (adapter === null) return checkOf('arms', type, { notRun: 'No adapter GGUF was made (output.adapterGguf is false).' });
  const kl = divergenceBetween(merged.reading, adapter);
  const limit = armsKlLimit(base.reading.kl);
  const measured = `KL between the merged file and the base's file with the adapter beside it is ${show(kl)} nats a token, and ${show(limit)} is allowed`;
  return checkOf('arms', type, {
    problems: kl <= limit ? [] : [`${measured}: the adapter's file is not this adapter, or is another base's.`],
    found: `${measured}.`,
    figures: { kl, adapterKl: adapter.kl },
    limits: { kl: limit },
  });
}

function show(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
