import path from 'node:path';
import { writeFileAtomically, writeJsonAtomically } from '../core/atomic-file.ts';
import { OSLER_ERR_FILE_NOT_FOUND } from '../core/errors.ts';
import { type EvaluationPlan, readPlan } from '../eval/plan.ts';
import { renderHtml } from '../eval/report/html.ts';
import { renderMarkdown } from '../eval/report/markdown.ts';
import { SampleLog } from '../eval/sample-log.ts';
import type { Report } from '../eval/schema/report.ts';
import { summarise } from '../eval/summarise.ts';
import { originNotices } from '../eval/tasks/origin-notices.ts';

/** Parameters below this are said to be too few to know medicine. */
const smallModelPattern = /smollm2-135m/i;

/** Scores an evaluation's folder anew, without a model, and writes report.json, report.md and report.html. */
export async function writeReports(folder: string, about: { hardware: Report['hardware']; codeRevision: string | null }): Promise<Report> {
  const plan = await readPlan(folder);
  if (plan === undefined) throw new OSLER_ERR_FILE_NOT_FOUND(path.join(folder, 'evaluation.json'));
  const log = await SampleLog.open(path.join(folder, 'samples.jsonl'));
  log.close();
  const report = summarise({
    evaluationId: plan.evaluationId,
    createdAt: plan.createdAt,
    arms: plan.arms,
    settings: plan.settings,
    ...about,
    tasks: plan.tasks,
    records: log.records,
    trainingQuestions: plan.trainingQuestions,
    notices: [...noticesOf(plan), ...originNotices(plan.tasks)],
  });
  await writeJsonAtomically(path.join(folder, 'report.json'), report);
  await writeFileAtomically(path.join(folder, 'report.md'), renderMarkdown(report));
  await writeFileAtomically(path.join(folder, 'report.html'), renderHtml(report));
  return report;
}

function noticesOf({ arms }: EvaluationPlan): string[] {
  const notices: string[] = [];
  if (smallModelPattern.test(arms.base.ref)) {
    notices.push(
      'Both arms are a model of 135 million parameters. It is far too small to know medicine: its accuracy is about chance, and this evaluation shows that the pipeline works, not that the model is of use.',
    );
  }
  if (arms.base['ggufFileType'] !== arms.tuned['ggufFileType']) {
    notices.push(
      'The two files have different quantisations, so a difference between the arms may be theirs and not that of tuning. Convert both alike.',
    );
  }
  return notices;
}
