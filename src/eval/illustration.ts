import { z } from 'zod';
import type { ChatTemplate } from '../engine/chat-template.ts';
import { defaultSampling, type Engine, type EngineEvent } from '../engine/engine.ts';
import { gatherAnswer } from '../engine/gathered-answer.ts';
import { findContamination } from './contamination.ts';
import { Arm } from './schema/sample.ts';
import { countBullets, countParagraphs } from './text-quality.ts';

/** The tutorial's question, in our words: asked before and after training. An illustration and never evidence. */
export const illustrationQuestion =
  'A 61-year-old woman has leaked urine for many years whenever she coughs or sneezes, but never at night. She has a gynaecological examination and a Q-tip test. Judging by these findings, what would cystometry most likely show about her residual volume and her detrusor contractions?';
/** What a right answer says. */
export const illustrationExpected =
  'This is stress incontinence: cystometry would show a normal residual volume and no involuntary detrusor contractions.';

const maxNewTokens = 1200;
const seed = 3407;

/** One arm's answer to the question. */
export const IllustrationAnswer = z.strictObject({
  arm: Arm,
  thought: z.string(),
  answer: z.string(),
  rawText: z.string(),
  thoughtClosed: z.string(),
  finishReason: z.string(),
  thoughtTokens: z.int(),
  answerTokens: z.int(),
  answerBullets: z.int(),
  answerParagraphs: z.int(),
});
export type IllustrationAnswer = z.infer<typeof IllustrationAnswer>;

/** illustration.json of a run. */
export const Illustration = z.strictObject({
  schemaVersion: z.literal(1),
  question: z.string(),
  expected: z.string(),
  inTrainingSet: z.boolean().describe('by the contamination rule: an answer may then be remembered'),
  sampling: z.strictObject({
    temperature: z.number(),
    topP: z.number(),
    seed: z.int(),
    maxNewTokens: z.int(),
    thinkingBudgetTokens: z.null(),
  }),
  answers: z.array(IllustrationAnswer),
});
export type Illustration = z.infer<typeof Illustration>;

/** Asks one arm, with no forced close. */
export async function askIllustration(
  arm: Arm,
  engine: Engine,
  template: ChatTemplate,
  onTokens: (tokens: number) => void,
  signal?: AbortSignal,
): Promise<IllustrationAnswer> {
  const messages = [{ role: 'user' as const, content: illustrationQuestion }];
  const prompt = template.render(messages);
  const events: EngineEvent[] = [];
  const generation = engine.generate(
    {
      prompt: prompt.text,
      isThoughtPreopened: prompt.isThoughtPreopened,
      isThinkingEnabled: prompt.isThinkingEnabled,
      maxTokens: maxNewTokens,
      thinkingBudgetTokens: null,
      sampling: defaultSampling,
      seed,
      stop: [],
      stopScope: 'content',
      chat: { messages },
    },
    signal,
  );
  for await (const event of generation) {
    events.push(event);
    onTokens(events.length);
  }
  const { thought, answer, closed, finish } = gatherAnswer(events);
  return {
    arm,
    thought,
    answer,
    rawText: finish?.rawText ?? '',
    thoughtClosed: closed,
    finishReason: finish?.reason ?? 'none',
    thoughtTokens: finish?.usage.reasoningTokens ?? 0,
    answerTokens: (finish?.usage.completionTokens ?? 0) - (finish?.usage.reasoningTokens ?? 0),
    answerBullets: countBullets(answer),
    answerParagraphs: countParagraphs(answer),
  };
}

/** Puts the answers together with what is to be known about them. */
export function describeIllustration(answers: readonly IllustrationAnswer[], trainingQuestions: readonly string[]): Illustration {
  const [found] = findContamination([{ task: 'illustration', itemId: 'question', stem: illustrationQuestion }], trainingQuestions);
  return {
    schemaVersion: 1,
    question: illustrationQuestion,
    expected: illustrationExpected,
    inTrainingSet: found?.level === 'hard',
    sampling: { temperature: defaultSampling.temperature, topP: defaultSampling.topP, seed, maxNewTokens, thinkingBudgetTokens: null },
    answers: [...answers],
  };
}
