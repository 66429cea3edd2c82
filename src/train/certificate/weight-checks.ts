import type { CertificateCheck } from '../../core/schema/certificate.ts';
import { checkOf, someOf } from './check.ts';
import { updateCheck } from './update-check.ts';
import type { WeightMeasures } from './weight-measures.ts';

/** From so many differing tensors on that no adapter touches, they are another model's and no damage. */
const wholesaleShare = 0.5;
/** Share of the update in the merged folder below which its loss is told. */
const toldShare = 0.9;

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
      found: `All ${adapter.targeted} targeted weights are base + ${adapter.scale} · B · A, within ${merged.maxRoundings.toFixed(2)} roundings of their format${merged.nil.length > 0 ? `; in ${merged.nil.length} the update rounds to nothing (${someOf(merged.nil)})` : ''}.${lossOf(merged)}`,
      figures: {
        maxRoundings: merged.maxRoundings,
        unmerged: merged.unmerged.length,
        wrong: merged.wrong.length,
        nil: merged.nil.length,
        relativeUpdate: merged.relativeUpdate,
        ...(merged.updateShare !== null && { updateShare: merged.updateShare }),
      },
      limits: { maxRoundings: 2, unmerged: 0, wrong: 0 },
    }),
  ];
}

/** Told of an update so small that rounding to 16 bit swallows much of it: the merge is right, and answers as a weaker adapter. */
function lossOf({ updateShare }: WeightMeasures['merged']): string {
  if (updateShare === null || updateShare >= toldShare) return '';
  return ` Rounding to that format lets ${(100 * updateShare).toFixed(0)} % of so small an update through: the adapter beside the base holds more of it than the merged model does.`;
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

/**
 * The lines about the tensors of one GGUF file.
 *
 * @param isMadeAnew whether llama-quantize makes the same tensors of the merged model; undefined: it was not asked to
 */
export function ggufChecks(type: string, measures: GgufMeasures, isMadeAnew?: boolean): CertificateCheck[] {
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
  const { untargeted, untargetedDifferent, different } = measures;
  const hasOtherBase = untargeted > 0 && untargetedDifferent > wholesaleShare * untargeted;
  const otherBase = hasOtherBase
    ? `The file has another base (see base/${type}), so its difference from this one says nothing.`
    : undefined;
  const update = updateCheck(type, measures, { notRun: unknown ?? otherBase, isMadeAnew });
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
    update,
    checkOf('weights', type, {
      notRun:
        unknown ??
        otherBase ??
        (update.status === 'failed'
          ? `The file does not hold the adapter's update (see update/${type}), so it is not the merged model.`
          : undefined),
      problems: weightProblems(measures),
      found:
        isMadeAnew === true
          ? `All ${measures.tensors} tensors are those that llama-quantize makes of the merged model, to the bit.`
          : weightsFound(measures),
      figures: { tensors: measures.tensors, exact: measures.exact, different: different.length, worstError: measures.worst?.error ?? 0 },
      limits: { different: 0 },
    }),
  ];
}

function weightsFound({ exact, tensors, worst }: GgufMeasures): string {
  const others = `; the others within the error of theirs, at most ${(100 * (worst?.error ?? 0)).toFixed(1)} % of the largest of 32 neighbours`;
  return `${exact} of ${tensors} tensors are the merged model's, rounded to their format, to the bit${exact < tensors ? others : ''}.`;
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
