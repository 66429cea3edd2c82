import type { CertificateCheck } from '../../core/schema/certificate.ts';
import { checkOf, someOf } from './check.ts';
import type { WeightMeasures } from './weight-measures.ts';

/**
 * How far the share of the update that a file holds may be from 1. Rounding has no direction and averages out over millions of weights,
 * unless the base's own weights lie on a grid: those of a model that had been 4-bit were seen to give 0.94 to 1.08.
 */
export const maxUpdateError = 0.25;
/** From so many differing tensors on that no adapter touches, they are another model's and no damage. */
const wholesaleShare = 0.5;

type GgufMeasures = WeightMeasures['ggufs'][number];

/** The lines about adapter and merged folder. */
export function mergeChecks(measures: WeightMeasures): CertificateCheck[] {
  const { adapter, merged } = measures;
  const baseProblems = [
    ...(merged.changed.length > 0
      ? [
          `${merged.changed.length} of ${merged.untargeted} tensors that the adapter does not touch differ from the base's (${someOf(merged.changed)}): the adapter was merged into another base.`,
        ]
      : []),
    ...(merged.missing.length > 0 ? [`Tensors of the base are missing: ${someOf(merged.missing)}.`] : []),
    ...(merged.extra.length > 0 ? [`The base has no ${someOf(merged.extra)}.`] : []),
  ];
  return [
    checkOf('adapter', 'adapter', {
      problems: adapterProblems(adapter),
      found: `${adapter.targeted} weights are targeted${adapter.zero.length > 0 ? `; the update of ${adapter.zero.length} is exactly zero (${someOf(adapter.zero)}), so they stay the base's` : ', and none has an update of zero'}.`,
      figures: { targeted: adapter.targeted, zero: adapter.zero.length, scale: adapter.scale },
    }),
    checkOf('base', 'merged', {
      problems: baseProblems,
      found: `${merged.untargeted} tensors that the adapter does not touch are the base's to the bit.`,
      figures: { untargeted: merged.untargeted, changed: merged.changed.length },
      limits: { changed: 0 },
    }),
    checkOf('merge', 'merged', {
      notRun:
        baseProblems.length > 0
          ? 'The merged model has another base (see base/merged), so its difference from this one says nothing.'
          : undefined,
      problems: mergeProblems(measures),
      found: `All ${adapter.targeted} targeted weights are base + ${adapter.scale} · B · A, within ${merged.maxRoundings.toFixed(2)} roundings of their format${merged.nil.length > 0 ? `; in ${merged.nil.length} the update rounds to nothing (${someOf(merged.nil)})` : ''}.`,
      figures: {
        maxRoundings: merged.maxRoundings,
        unmerged: merged.unmerged.length,
        wrong: merged.wrong.length,
        nil: merged.nil.length,
        relativeUpdate: merged.relativeUpdate,
      },
      limits: { maxRoundings: 2, unmerged: 0, wrong: 0 },
    }),
  ];
}

function adapterProblems({ targeted, zero, notFinite, untouched }: WeightMeasures['adapter']): string[] {
  return [
    ...(zero.length === targeted
      ? [`The update of all ${targeted} targeted weights is exactly zero: the adapter has learnt nothing.`]
      : []),
    ...(notFinite.length > 0 ? [`${notFinite.length} weights have numbers that are not finite (${someOf(notFinite)}).`] : []),
    ...(untouched.length > 0 ? [`${untouched.length} modules of the targeted kinds have no adapter (${someOf(untouched)}).`] : []),
  ];
}

function mergeProblems({ adapter, merged }: WeightMeasures): string[] {
  return [
    ...(merged.unmerged.length > 0
      ? [
          `${merged.unmerged.length} of ${adapter.targeted} targeted weights are still the base's (${someOf(merged.unmerged)}): the adapter is not merged.`,
        ]
      : []),
    ...(merged.wrong.length > 0
      ? [
          `${merged.wrong.length} of ${adapter.targeted} targeted weights are not base + ${adapter.scale} · B · A (${someOf(merged.wrong)}).`,
        ]
      : []),
  ];
}

/** The lines about the tensors of one GGUF file. */
export function ggufChecks(type: string, measures: GgufMeasures): CertificateCheck[] {
  if (measures.problem !== null) {
    const notRun = `The file cannot be read (see weights/${type}).`;
    return [
      checkOf('base', type, { notRun }),
      checkOf('update', type, { notRun }),
      checkOf('weights', type, { problems: [measures.problem] }),
    ];
  }
  const unknown = measures.isKnownLayout
    ? undefined
    : `How "${measures.architecture}" lays out its tensors is not known here; divergence/${type} judges this file.`;
  const { untargeted, untargetedDifferent, updateShare, different } = measures;
  const hasOtherBase = untargeted > 0 && untargetedDifferent > wholesaleShare * untargeted;
  // A file that is the merged model to the bit is what it should be, however little of a small update its rounding lets through.
  const isMergedToTheBit = measures.exact === measures.tensors && different.length === 0;
  const isUpdateWrong = updateShare !== null && !isMergedToTheBit && Math.abs(updateShare - 1) > maxUpdateError;
  const otherBase = hasOtherBase
    ? `The file has another base (see base/${type}), so its difference from this one says nothing.`
    : undefined;
  return [
    checkOf('base', type, {
      notRun: unknown,
      problems: hasOtherBase
        ? [
            `${untargetedDifferent} of ${untargeted} tensors that the adapter does not touch differ from the base's: the file was made from another base. Export it again from merged/.`,
          ]
        : [],
      found: `Of ${untargeted} tensors that the adapter does not touch, ${untargeted - untargetedDifferent} are the base's.`,
      figures: { untargeted, untargetedDifferent },
      limits: { untargetedDifferent: wholesaleShare * untargeted },
    }),
    checkOf('update', type, {
      notRun:
        unknown ?? otherBase ?? (updateShare === null ? 'The adapter changes nothing, so there is no update to look for.' : undefined),
      problems: isUpdateWrong ? [updateProblem(updateShare)] : [],
      found: updateFound(type, updateShare ?? 0),
      figures: { updateShare: updateShare ?? 0 },
      limits: { updateShareLeast: 1 - maxUpdateError, updateShareMost: 1 + maxUpdateError },
    }),
    checkOf('weights', type, {
      notRun:
        unknown ??
        otherBase ??
        (isUpdateWrong ? `The file does not hold the adapter's update (see update/${type}), so it is not the merged model.` : undefined),
      problems: weightProblems(measures),
      found: `${measures.exact} of ${measures.tensors} tensors are the merged model's, rounded to their format, to the bit${measures.exact < measures.tensors ? `; the others within the error of theirs, at most ${(100 * (measures.worst?.error ?? 0)).toFixed(1)} % of the largest of 32 neighbours` : ''}.`,
      figures: { tensors: measures.tensors, exact: measures.exact, different: different.length, worstError: measures.worst?.error ?? 0 },
      limits: { different: 0 },
    }),
  ];
}

function updateFound(type: string, share: number): string {
  const found = `The file holds ${(share * 100).toFixed(2)} % of the adapter's update.`;
  if (Math.abs(share - 1) <= maxUpdateError) return found;
  return `${found} It is the merged model, rounded to ${type} to the bit: the update is smaller than what ${type} can tell apart. Train longer, or export bf16 or f16.`;
}

function updateProblem(share: number): string {
  const percent = `${(100 * share).toFixed(1)} %`;
  if (Math.abs(share) <= maxUpdateError)
    return `The file holds ${percent} of the adapter's update: it is the bare base, the adapter is not merged. Export it again from merged/.`;
  return `The file holds ${percent} of the adapter's update, and 100 % is wanted: it was merged with another strength, more than once, or another adapter was.`;
}

function weightProblems({ different, missing, extra, tensors, worst }: GgufMeasures): string[] {
  return [
    ...(different.length > 0
      ? [
          `${different.length} of ${tensors} tensors are not the merged model's (${someOf(different)}; the worst is ${worst?.tensor ?? ''}): the file is damaged, or was made from other weights. Export it again.`,
        ]
      : []),
    ...(missing.length > 0 ? [`The file lacks ${someOf(missing)}.`] : []),
    ...(extra.length > 0 ? [`The merged model has no ${someOf(extra)}.`] : []),
  ];
}

/** Whether a file's weights are known to be wrong, so that what it answers measures nothing. */
export function hasWrongWeights(checks: readonly CertificateCheck[], type: string): boolean {
  return checks.some(
    ({ kind, subject, status }) =>
      status === 'failed' && (subject === type || subject === 'merged') && ['base', 'merge', 'update', 'weights'].includes(kind),
  );
}
