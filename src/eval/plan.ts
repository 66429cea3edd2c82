import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { digestOfJson } from '../core/digest.ts';
import { OSLER_ERR_EVALUATION_MISMATCH } from '../core/errors.ts';
import { Question } from '../core/schema/question.ts';
import { ReportArm } from './schema/report.ts';
import { EvaluationSettings } from './schema/settings.ts';
import { TaskOrigin } from './schema/task-origin.ts';

/** evaluation.json: all that decides an evaluation, frozen before the first token. */
export const EvaluationPlan = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: z.string().min(1),
  createdAt: z.iso.datetime(),
  settings: EvaluationSettings,
  arms: z.strictObject({ base: ReportArm, tuned: ReportArm }),
  tasks: z.array(
    z.strictObject({
      task: z.string(),
      measures: z.array(z.enum(['generation', 'likelihood'])),
      items: z.array(Question),
      origin: TaskOrigin.optional(),
    }),
  ),
  trainingQuestions: z.array(z.string()).nullable().describe('what the tuned model was trained on; null: unknown'),
});
export type EvaluationPlan = z.infer<typeof EvaluationPlan>;

/**
 * Writes the plan, or takes up the one that is there.
 *
 * @throws OSLER_ERR_EVALUATION_MISMATCH where the folder holds an evaluation that asks for something else
 */
export async function freezePlan(folder: string, plan: EvaluationPlan): Promise<EvaluationPlan> {
  const file = path.join(folder, 'evaluation.json');
  const existing = await readPlan(folder);
  if (existing === undefined) {
    await writeJsonAtomically(file, plan);
    return plan;
  }
  const differing = (['settings', 'arms', 'tasks'] as const).filter(
    (part) => digestOfJson(decisive(existing)[part]) !== digestOfJson(JSON.parse(JSON.stringify(decisive(plan)[part]))),
  );
  if (differing.length > 0) throw new OSLER_ERR_EVALUATION_MISMATCH(folder, differing.join(' and '));
  return existing;
}

/** What decides the samples: the items themselves, and not the place that they were read from. */
function decisive({ settings, arms, tasks }: EvaluationPlan) {
  return { settings, arms, tasks: tasks.map(({ origin: _origin, ...task }) => task) };
}

/** The plan of a folder, or undefined where there is none. */
export async function readPlan(folder: string): Promise<EvaluationPlan | undefined> {
  const text = await readFile(path.join(folder, 'evaluation.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : EvaluationPlan.parse(JSON.parse(text));
}

/** Commits by task that a plan's items were read from: an evaluation that is taken up reads the same. */
export function commitsOf(tasks: readonly Pick<EvaluationPlan['tasks'][number], 'task' | 'origin'>[]): Map<string, string> {
  return new Map(
    tasks.flatMap(({ task, origin }) => (origin === undefined || origin.hub === null ? [] : [[task, origin.hub.commit] as const])),
  );
}
