import { Question } from '../../../src/core/schema/question.ts';
import { digestOfItem } from '../../../src/eval/item-digest.ts';
import type { Arm, LikelihoodSample, Sample } from '../../../src/eval/schema/sample.ts';
import type { EvaluationSettings } from '../../../src/eval/schema/settings.ts';
import type { SummariseInput } from '../../../src/eval/summarise.ts';

const digest = '0'.repeat(64);
const at = '2026-01-02T03:04:05.000Z';

/** A multiple-choice item with options A to D; every item has its own stem. */
export function fixtureItem(id: string, overrides: Record<string, unknown> = {}): Question {
  return Question.parse({
    id,
    question: `What is the treatment of condition ${id}?`,
    options: { A: 'Rest in bed', B: 'Watchful waiting', C: 'Surgery at once', D: 'Antibiotic course' },
    answer: 'B',
    subject: 'Medicine',
    ...overrides,
  });
}

/** A sample that answers with `letter`; null answers nothing. */
export function fixtureSample(arm: Arm, item: Question, letter: string | null, overrides: Partial<Sample> = {}): Sample {
  return {
    kind: 'generation',
    schemaVersion: 1,
    evaluationId: 'evaluation-1',
    arm,
    task: 'mini',
    itemId: item.id,
    itemDigest: digestOfItem(item),
    seconds: 1.5,
    at,
    attempt: 0,
    seed: 1,
    promptDigest: digest,
    thought: `Let me think about ${item.id}.`,
    answer: letter === null ? 'I cannot say.' : `It follows.\n\nAnswer: ${letter}`,
    thoughtTokens: 40,
    answerTokens: 8,
    thoughtClosed: 'model',
    finishReason: 'stop',
    ...overrides,
  };
}

/** Likelihood of an item's reference texts: sums in nats over 10 thought and 5 answer tokens. */
export function fixtureLikelihood(
  arm: Arm,
  item: Question,
  thoughtNll: number,
  answerNll: number,
  overrides: Partial<LikelihoodSample> = {},
): LikelihoodSample {
  return {
    kind: 'likelihood',
    schemaVersion: 1,
    evaluationId: 'evaluation-1',
    arm,
    task: 'mini',
    itemId: item.id,
    itemDigest: digestOfItem(item),
    seconds: 0.1,
    at,
    thoughtNll,
    thoughtTokens: 10,
    answerNll,
    answerTokens: 5,
    ...overrides,
  };
}

/** Settings of a small evaluation with accuracy to decide. */
export const fixtureSettings: EvaluationSettings = {
  primaryMetric: 'accuracy',
  equivalenceMarginPp: null,
  equivalenceMarginNats: null,
  attempts: 1,
  seed: 3407,
  bootstrapDraws: 200,
  temperature: 0.6,
  topP: 0.95,
  thinkingBudgetTokens: 4096,
  answerBudgetTokens: 512,
  systemPrompt: null,
  template: 'tutorial',
};

/** Input around records; one task "mini" that is generated. */
export function fixtureInput(overrides: Partial<SummariseInput> = {}): SummariseInput {
  const arm = { weightsSha256: digest, templateSha256: digest, adapterSha256: null };
  return {
    evaluationId: 'evaluation-1',
    createdAt: at,
    arms: { base: { name: 'base', ref: 'models/base.gguf', ...arm }, tuned: { name: 'tuned', ref: 'runs/1/tuned.gguf', ...arm } },
    settings: fixtureSettings,
    hardware: { cpu: 'test' },
    codeRevision: null,
    tasks: [],
    records: [],
    trainingQuestions: null,
    notices: [],
    ...overrides,
  };
}

/** Items of one task with the letters that both arms gave, as `BB` (base, tuned); `-` for no answer. The right one is B. */
export function fixtureTask(letters: readonly string[], task = 'mini'): Pick<SummariseInput, 'tasks' | 'records'> {
  const items = letters.map((_pair, index) => fixtureItem(`${task}-${index}`));
  const letterOf = (pair: string | undefined, place: number): string | null => (pair?.[place] === '-' ? null : (pair?.[place] ?? null));
  const records = items.flatMap((item, index) => [
    fixtureSample('base', item, letterOf(letters[index], 0), { task }),
    fixtureSample('tuned', item, letterOf(letters[index], 1), { task }),
  ]);
  return { tasks: [{ task, items, measures: ['generation'] }], records };
}
