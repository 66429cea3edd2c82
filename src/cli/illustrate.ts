import path from 'node:path';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { checkRows, readTextFile } from '../core/jsonl.ts';
import { TrainingRow } from '../core/schema/training-row.ts';
import { askIllustration, describeIllustration, type Illustration, type IllustrationAnswer } from '../eval/illustration.ts';
import type { CliContext } from './context.ts';
import { openModel } from './open-model.ts';
import type { Reporter } from './progress.ts';

const contextTokens = 2048;
const shownCharacters = 700;

/** Asks base and tuned the tutorial's question, same engine, quantisation, template and seed, and keeps it in the run. */
export async function illustrate(context: CliContext, runId: string, reporter: Reporter, signal: AbortSignal): Promise<Illustration> {
  const folder = context.trainings.folder(runId);
  const answers: IllustrationAnswer[] = [];
  for (const [arm, ref] of [
    ['base', context.trainings.get(runId).recipe.base.ref],
    ['tuned', runId],
  ] as const) {
    const { model } = await openModel(
      context,
      { name: arm, ref, templateFile: folder.template, slots: 1, contextTokens, maxWaiting: 1 },
      reporter,
      signal,
    );
    const bar = reporter.progress(`asking ${arm}`);
    try {
      await model.engine.ready();
      answers.push(
        await askIllustration(
          arm,
          model.engine,
          model.template,
          (pieces) => bar.update(Math.min(pieces, 1200), 1200, 'tokens at most'),
          signal,
        ),
      );
    } finally {
      bar.stop();
      await model.engine.close();
    }
  }
  const rows = checkRows(folder.trainRows, await readTextFile(folder.trainRows), TrainingRow);
  const illustration = describeIllustration(
    answers,
    rows.map(({ value }) => value.question),
  );
  await writeJsonAtomically(path.join(folder.root, 'illustration.json'), illustration);
  return illustration;
}

/** The two answers side by side for a terminal, with what they are and are not. */
export function illustrationText(illustration: Illustration): string {
  const lines = [
    '',
    'The tutorial’s question, before and after (an illustration, never evidence)',
    `  Question: ${illustration.question}`,
    `  Expected: ${illustration.expected}`,
  ];
  lines.push(
    `  This question is ${illustration.inTrainingSet ? 'in the training set' : 'not in the training set'}; seed ${illustration.sampling.seed}, temperature ${illustration.sampling.temperature}, no forced close.`,
  );
  for (const answer of illustration.answers) {
    const form = `${answer.thoughtTokens} tokens of thought (closed by: ${answer.thoughtClosed}), answer of ${answer.answerTokens} tokens, ${answer.answerParagraphs} paragraph(s), ${answer.answerBullets} bullet(s)`;
    lines.push(
      '',
      `  ── ${answer.arm === 'base' ? 'before (base)' : 'after (tuned)'}: ${form}`,
      indent('thought', answer.thought),
      indent('answer', answer.answer === '' ? '(none: it ran out of tokens before an answer)' : answer.answer),
    );
  }
  return `${lines.join('\n')}\n`;
}

function indent(title: string, text: string): string {
  const shown =
    text.length > shownCharacters
      ? `${text.slice(0, shownCharacters)} … [${text.length - shownCharacters} more characters in illustration.json]`
      : text;
  return `  ${title}: ${shown.replaceAll('\n', '\n    ')}`;
}
