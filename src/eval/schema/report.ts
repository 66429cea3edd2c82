import { z } from 'zod';
import { ContaminationLevel, ItemContamination } from './contamination.ts';
import { Sample } from './sample.ts';
import { EvaluationSettings } from './settings.ts';

const count = z.int().min(0);
const share = z.number().min(0).max(1);
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const positiveNumber = z.number().positive();
const notEstimable = z.strictObject({ isEstimable: z.literal(false), reason: z.string() });

/** One value for each arm. */
function perArm<T extends z.ZodType>(value: T): z.ZodObject<{ base: T; tuned: T }, z.core.$strict> {
  return z.strictObject({ base: value, tuned: value });
}

/** A share with its Wilson interval. */
export const ReportShare = z.discriminatedUnion('isEstimable', [
  z.strictObject({ isEstimable: z.literal(true), share, low: share, high: share, count }),
  notEstimable,
]);
export type ReportShare = z.infer<typeof ReportShare>;

function differenceIn<U extends string>(unit: U) {
  return z.discriminatedUnion('isEstimable', [
    z.strictObject({
      isEstimable: z.literal(true),
      unit: z.literal(unit),
      mean: z.number(),
      standardError: z.number(),
      low: z.number().describe('95 % interval'),
      high: z.number(),
      low90: z.number().describe('90 % interval, for equivalence'),
      high90: z.number(),
      p: share,
      df: positiveNumber,
      items: count,
      clusters: count,
      method: z.enum(['paired-t', 'clustered-t', 'macro-mean']),
      bootstrap: z
        .strictObject({ low: z.number(), high: z.number(), draws: count, seed: count })
        .nullable()
        .describe('percentile interval over clusters, a check on the t interval'),
    }),
    notEstimable,
  ]);
}

/** Paired difference tuned minus base, in percentage points: above 0 favours the tuned model. */
export const DifferencePp = differenceIn('pp');
export type DifferencePp = z.infer<typeof DifferencePp>;

/** Paired difference tuned minus base of negative log-likelihood, in nats per token: below 0 favours the tuned model. */
export const DifferenceNats = differenceIn('nats/token');
export type DifferenceNats = z.infer<typeof DifferenceNats>;

/** How a sample ended, as shares of an arm's samples. */
export const OutcomeRates = z.strictObject({ answered: share, no_answer: share, truncated: share, loop: share, empty: share });
export type OutcomeRates = z.infer<typeof OutcomeRates>;

/** Accuracy of one arm on one task. */
export const ArmAccuracy = z.strictObject({
  accuracy: ReportShare.describe('unanswered counts as wrong'),
  accuracyWhenAnswered: ReportShare.describe('over the answered samples only; not comparable between arms that answer different questions'),
  outcomes: OutcomeRates,
});
export type ArmAccuracy = z.infer<typeof ArmAccuracy>;

/** Difference that a test of this size and spread shows at 80 % power. */
export const SmallestDetectable = z.strictObject({
  difference: z.number(),
  basis: z.enum(['observed', 'assumed']).describe('assumed: 30 % discordance, as no spread was observed'),
});
export type SmallestDetectable = z.infer<typeof SmallestDetectable>;

/** Accuracy on one multiple-choice benchmark. */
export const TaskReport = z.strictObject({
  task: z.string(),
  items: count.describe('items with every attempt in both arms'),
  itemsPlanned: count,
  clusters: count,
  attempts: count,
  majorityBaseline: share.describe('accuracy of always naming the most frequent right letter'),
  arms: perArm(ArmAccuracy),
  difference: DifferencePp,
  differenceClean: z
    .strictObject({ items: count, difference: DifferencePp })
    .nullable()
    .describe('without hard-contaminated items; null: contamination was not checked'),
  mcnemar: z
    .discriminatedUnion('isEstimable', [
      z.strictObject({ isEstimable: z.literal(true), lost: count, gained: count, p: share, midP: share }),
      notEstimable,
    ])
    .nullable()
    .describe('null with several attempts an item'),
  pHolm: share.nullable().describe('adjusted over the secondary metrics; null: primary, or not estimable'),
  smallestDetectablePp: SmallestDetectable,
  truncation: z.strictObject({
    partPp: z.number().describe('part of the difference that stems from attempts where an arm ran out of tokens unanswered'),
    share: z.number().nullable().describe('partPp over the difference; may lie outside 0 to 1 where the parts oppose; null: no difference'),
  }),
  flips: z
    .strictObject({
      gained: z.array(z.string()),
      lost: z.array(z.string()),
      bothRight: z.array(z.string()),
      bothWrong: z.array(z.string()),
    })
    .describe('item ids'),
  subjects: z
    .array(z.strictObject({ subject: z.string(), items: count, accuracy: perArm(share), differencePp: z.number() }))
    .describe('descriptive: no intervals, no verdict'),
  nonAnswering: z
    .array(z.strictObject({ text: z.string(), ours: share, lenient: share }))
    .describe('what texts that answer nothing would score, under our rule and under a lenient one'),
});
export type TaskReport = z.infer<typeof TaskReport>;

/** Likelihood of one kind of reference text. */
export const LikelihoodMetric = z.strictObject({
  items: count,
  meanNll: perArm(z.number()).nullable().describe('nats per token, mean over items; null: no items'),
  difference: DifferenceNats,
  pHolm: share.nullable(),
  smallestDetectableNats: z.number().nullable(),
});
export type LikelihoodMetric = z.infer<typeof LikelihoodMetric>;

/** Lengths in tokens: summary and bins of equal width, the same for both arms. */
export const LengthDistribution = z.strictObject({
  binWidthTokens: positiveNumber,
  arms: perArm(z.strictObject({ median: z.number(), p95: z.number(), max: count, bins: z.array(count) })),
});
export type LengthDistribution = z.infer<typeof LengthDistribution>;

/** Form of an arm's output, over all its samples. */
export const ArmFormat = z.strictObject({
  samples: count,
  closed: z.record(Sample.shape.thoughtClosed, share).describe('who closed the thought; none: the model did not think'),
  outcomes: OutcomeRates,
  emptyThoughtRate: share.describe('a thought was opened and holds nothing'),
  thoughtRepetition: share.describe('mean share of repeated word 4-grams'),
  answerRepetition: share,
  thoughtBullets: z.number(),
  thoughtParagraphs: z.number(),
  answerBullets: z.number(),
  answerParagraphs: z.number(),
});
export type ArmFormat = z.infer<typeof ArmFormat>;

/** One attempt as the flip browser shows it. */
export const ReportAttempt = z.strictObject({
  thought: z.string(),
  answer: z.string(),
  letter: z.string().nullable(),
  rung: z.enum(['stated', 'letter-line', 'option-text', 'no_answer']).nullable().describe('null: an open question'),
  outcome: z.enum(['answered', 'no_answer', 'truncated', 'loop', 'empty']),
  isRight: z.boolean().nullable(),
  thoughtClosed: Sample.shape.thoughtClosed,
  thoughtTokens: count,
  answerTokens: count,
});
export type ReportAttempt = z.infer<typeof ReportAttempt>;

/** One item with what both arms made of it. */
export const ReportItem = z.strictObject({
  task: z.string(),
  itemId: z.string(),
  subject: z.string().nullable(),
  question: z.string(),
  context: z.string().nullable(),
  options: z.record(z.string(), z.string()).nullable(),
  reference: z.string().nullable().describe('right letter, or the reference answer of an open question'),
  flip: z.enum(['gained', 'lost', 'bothRight', 'bothWrong']).nullable().describe('null: an open question'),
  contamination: ContaminationLevel.nullable(),
  arms: perArm(z.array(ReportAttempt)),
});
export type ReportItem = z.infer<typeof ReportItem>;

/** What one arm is, to the byte. */
export const ReportArm = z.looseObject({
  name: z.string(),
  ref: z.string(),
  weightsSha256: sha256Hex.nullable(),
  templateSha256: sha256Hex.nullable(),
  adapterSha256: sha256Hex.nullable(),
});
export type ReportArm = z.infer<typeof ReportArm>;

/** The result of an evaluation. The renderers print it and compute nothing. */
export const Report = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: z.string(),
  createdAt: z.iso.datetime(),
  researchOnly: z.string(),
  verdict: z.strictObject({
    metric: EvaluationSettings.shape.primaryMetric,
    kind: z.enum(['better', 'worse', 'equivalent', 'none']),
    sentence: z.string(),
    secondarySentence: z.string().nullable(),
    marginPp: z.number().nullable(),
    marginNats: z.number().nullable(),
    smallestDetectablePp: z.number().nullable(),
    smallestDetectableNats: z.number().nullable(),
  }),
  arms: perArm(ReportArm),
  settings: EvaluationSettings,
  hardware: z.record(z.string(), z.json()),
  codeRevision: z.string().nullable(),
  isComplete: z.boolean().describe('every planned item has every attempt in both arms'),
  tasks: z.array(TaskReport),
  accuracyOverall: DifferencePp.nullable().describe('macro mean over the tasks; null: no multiple choice'),
  likelihood: z.strictObject({ thought: LikelihoodMetric, answer: LikelihoodMetric }).nullable(),
  format: z.strictObject({ arms: perArm(ArmFormat), thoughtTokens: LengthDistribution, answerTokens: LengthDistribution }).nullable(),
  contamination: z
    .strictObject({
      trainingRows: count,
      counts: z.strictObject({ none: count, soft: count, hard: count }),
      listed: z.array(ItemContamination).describe('soft and hard items'),
    })
    .nullable()
    .describe('null: not checked'),
  items: z.array(ReportItem),
  notices: z.array(z.string()),
});
export type Report = z.infer<typeof Report>;
