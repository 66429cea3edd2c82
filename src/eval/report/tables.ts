import type { Report, TaskReport } from '../schema/report.ts';
import { formatDifference, formatP, formatShare, formatShareWithInterval, formatSigned } from './format-number.ts';

/** A table of texts; both renderers print the same ones. */
export interface ReportTable {
  readonly title: string;
  /** Said under the title; empty for nothing. */
  readonly note: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The tables that belong next to the verdict. Numbers come from the report as they are. */
export function headlineTables(report: Report): ReportTable[] {
  return [...accuracyTables(report), ...likelihoodTables(report)];
}

/** All other tables, in the order of print. */
export function detailTables(report: Report): ReportTable[] {
  return [...report.tasks.flatMap(taskTables), ...formatTables(report), ...contaminationTables(report), ...protocolTables(report)];
}

function accuracyTables({ tasks, accuracyOverall }: Report): ReportTable[] {
  if (tasks.length === 0) return [];
  const rows = tasks.map((task) => [
    task.task,
    String(task.items),
    formatShareWithInterval(task.arms.base.accuracy),
    formatShareWithInterval(task.arms.tuned.accuracy),
    formatDifference(task.difference),
    formatP(task.difference.isEstimable ? task.difference.p : null),
    formatP(task.pHolm),
    `${task.smallestDetectablePp.difference.toFixed(1)} pp${task.smallestDetectablePp.basis === 'assumed' ? ' (assumed)' : ''}`,
    formatShare(task.majorityBaseline),
  ]);
  if (tasks.length > 1 && accuracyOverall !== null)
    rows.push([
      'mean of benchmarks',
      '',
      '',
      '',
      formatDifference(accuracyOverall),
      formatP(accuracyOverall.isEstimable ? accuracyOverall.p : null),
      '',
      '',
      '',
    ]);
  return [
    {
      title: 'Accuracy',
      note: 'Unanswered counts as wrong. Arms with 95 % Wilson intervals; difference tuned minus base with a 95 % paired t interval over clusters of items.',
      header: ['benchmark', 'n', 'base', 'tuned', 'difference', 'p', 'p (Holm)', 'smallest detectable', 'majority baseline'],
      rows,
    },
  ];
}

function likelihoodTables({ likelihood }: Report): ReportTable[] {
  if (likelihood === null) return [];
  return [
    {
      title: 'Likelihood of the reference texts',
      note: 'Mean negative log-likelihood in nats per token: lower is better, so a difference (tuned minus base) below 0 favours the tuned model.',
      header: ['text', 'n', 'base', 'tuned', 'difference', 'p', 'p (Holm)'],
      rows: (['thought', 'answer'] as const).map((part) => {
        const { items, meanNll, difference, pHolm } = likelihood[part];
        return [
          part,
          String(items),
          meanNll?.base.toFixed(3) ?? '–',
          meanNll?.tuned.toFixed(3) ?? '–',
          formatDifference(difference),
          formatP(difference.isEstimable ? difference.p : null),
          formatP(pHolm),
        ];
      }),
    },
  ];
}

function taskTables(task: TaskReport): ReportTable[] {
  const { base, tuned } = task.arms;
  const { mcnemar, difference, differenceClean, truncation, flips } = task;
  const facts: string[][] = [
    ['items, clusters, attempts an item', `${task.items} of ${task.itemsPlanned} planned, ${task.clusters}, ${task.attempts}`],
    [
      'gained / lost / both right / both wrong',
      `${flips.gained.length} / ${flips.lost.length} / ${flips.bothRight.length} / ${flips.bothWrong.length}`,
    ],
    [
      'McNemar, exact p (mid-p); never decides',
      mcnemar === null
        ? 'not with several attempts'
        : mcnemar.isEstimable
          ? `${formatP(mcnemar.p)} (${formatP(mcnemar.midP)})`
          : `not estimable: ${mcnemar.reason}`,
    ],
    [
      'interval',
      difference.isEstimable
        ? `${difference.method}, ${Number(difference.df.toFixed(1))} degrees of freedom, SE ${difference.standardError.toFixed(2)} pp`
        : `not estimable: ${difference.reason}`,
    ],
    ...(difference.isEstimable && difference.bootstrap !== null
      ? [
          [
            'bootstrap over clusters',
            `${formatSigned(difference.bootstrap.low, 1)} to ${formatSigned(difference.bootstrap.high, 1)} pp (${difference.bootstrap.draws} draws, seed ${difference.bootstrap.seed})`,
          ],
        ]
      : []),
    [
      'part of the difference where an arm ran out of tokens',
      `${formatSigned(truncation.partPp, 1)} pp${truncation.share === null ? '' : ` (${(100 * truncation.share).toFixed(0)} % of it)`}`,
    ],
    [
      'difference without contaminated items',
      differenceClean === null ? 'not checked' : `${formatDifference(differenceClean.difference)}, n = ${differenceClean.items}`,
    ],
  ];
  const tables: ReportTable[] = [
    { title: `${task.task}: comparison`, note: '', header: ['', ''], rows: facts },
    {
      title: `${task.task}: outcomes`,
      note: 'Accuracy when answered compares different questions in each arm.',
      header: ['arm', 'answered', 'no answer', 'truncated', 'loop', 'empty', 'accuracy when answered'],
      rows: (
        [
          ['base', base],
          ['tuned', tuned],
        ] as const
      ).map(([name, arm]) => [
        name,
        ...(['answered', 'no_answer', 'truncated', 'loop', 'empty'] as const).map((outcome) => formatShare(arm.outcomes[outcome])),
        formatShareWithInterval(arm.accuracyWhenAnswered),
      ]),
    },
    {
      title: `${task.task}: what texts that answer nothing would score`,
      note: 'Our rule beside a lenient one (first capital letter or option text anywhere), which grades no model here.',
      header: ['text', 'our rule', 'lenient rule'],
      rows: task.nonAnswering.map(({ text, ours, lenient }) => [text, formatShare(ours), formatShare(lenient)]),
    },
  ];
  if (task.subjects.length > 0) {
    tables.push({
      title: `${task.task}: by subject`,
      note: 'Descriptive: groups this small carry no verdict.',
      header: ['subject', 'n', 'base', 'tuned', 'difference'],
      rows: task.subjects.map(({ subject, items, accuracy, differencePp }) => [
        subject,
        String(items),
        formatShare(accuracy.base),
        formatShare(accuracy.tuned),
        `${formatSigned(differencePp, 1)} pp`,
      ]),
    });
  }
  return tables;
}

function formatTables({ format }: Report): ReportTable[] {
  if (format === null) return [];
  const { base, tuned } = format.arms;
  const row = (name: string, of: (arm: typeof base) => string): string[] => [name, of(base), of(tuned)];
  const lengths = (name: string, part: 'thoughtTokens' | 'answerTokens'): string[] => [
    name,
    ...(['base', 'tuned'] as const).map(
      (arm) => `${format[part].arms[arm].median.toFixed(0)} / ${format[part].arms[arm].p95.toFixed(0)} / ${format[part].arms[arm].max}`,
    ),
  ];
  return [
    {
      title: 'Form of the thought and the answer',
      note: 'Over all samples.',
      header: ['', 'base', 'tuned'],
      rows: [
        row('samples', ({ samples }) => String(samples)),
        row('thought closed by the model', ({ closed }) => formatShare(closed.model)),
        row('closed by the budget', ({ closed }) => formatShare(closed.budget)),
        row('never closed', ({ closed }) => formatShare(closed.never)),
        row('did not think', ({ closed }) => formatShare(closed.none)),
        row('empty thought', ({ emptyThoughtRate }) => formatShare(emptyThoughtRate)),
        lengths('thought, tokens: median / p95 / longest', 'thoughtTokens'),
        lengths('answer, tokens: median / p95 / longest', 'answerTokens'),
        row('repeated word 4-grams, thought', ({ thoughtRepetition }) => formatShare(thoughtRepetition)),
        row('repeated word 4-grams, answer', ({ answerRepetition }) => formatShare(answerRepetition)),
        row(
          'thought: paragraphs, bullets',
          ({ thoughtParagraphs, thoughtBullets }) => `${thoughtParagraphs.toFixed(1)}, ${thoughtBullets.toFixed(1)}`,
        ),
        row(
          'answer: paragraphs, bullets',
          ({ answerParagraphs, answerBullets }) => `${answerParagraphs.toFixed(1)}, ${answerBullets.toFixed(1)}`,
        ),
      ],
    },
  ];
}

function contaminationTables({ contamination }: Report): ReportTable[] {
  if (contamination === null) return [];
  const { counts, trainingRows, listed } = contamination;
  return [
    {
      title: 'Contamination',
      note: `Against ${trainingRows} training questions: ${counts.hard} hard, ${counts.soft} soft, ${counts.none} clean.`,
      header: ['benchmark', 'item', 'level', 'similarity', '13-gram share', 'training row'],
      rows: listed.map(({ task, itemId, level, similarity, gramShare, isExactMatch, nearestTrainingRow }) => [
        task,
        itemId,
        isExactMatch ? `${level}, exact` : level,
        similarity.toFixed(2),
        gramShare?.toFixed(2) ?? '–',
        nearestTrainingRow === null ? '–' : String(nearestTrainingRow),
      ]),
    },
  ];
}

function protocolTables({ arms, settings, hardware, codeRevision, evaluationId, createdAt }: Report): ReportTable[] {
  const entries = (record: Readonly<Record<string, unknown>>): string[][] =>
    Object.entries(record).map(([key, value]) => [key, typeof value === 'string' ? value : (JSON.stringify(value) ?? '–')]);
  const armRow = (key: 'name' | 'ref' | 'weightsSha256' | 'templateSha256' | 'adapterSha256', label: string): string[] => [
    label,
    arms.base[key] ?? '–',
    arms.tuned[key] ?? '–',
  ];
  return [
    {
      title: 'Arms',
      note: '',
      header: ['', 'base', 'tuned'],
      rows: [
        armRow('name', 'name'),
        armRow('ref', 'reference'),
        armRow('weightsSha256', 'weights sha256'),
        armRow('templateSha256', 'template sha256'),
        armRow('adapterSha256', 'adapter sha256'),
      ],
    },
    { title: 'Settings', note: 'Named before the run.', header: ['', ''], rows: entries(settings) },
    {
      title: 'Where it ran',
      note: '',
      header: ['', ''],
      rows: [['evaluation', evaluationId], ['created', createdAt], ['code revision', codeRevision ?? 'unknown'], ...entries(hardware)],
    },
  ];
}
