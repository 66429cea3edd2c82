import { checkFreeDisk } from '../core/free-disk.ts';
import { OSLER_ERR_INTERRUPTED, OSLER_ERR_RUN_FAILED } from '../core/errors.ts';
import type { TrainerOutcome } from './follow-trainer.ts';
import type { RunFolder } from './run-folder.ts';
import { tailLog } from './trainer-process.ts';
import { howToGoOn } from './wish-watch.ts';

/** Throws what a user should know of a trainer that has not finished, with the next step. Nothing where it has. */
export async function checkFinished(id: string, outcome: TrainerOutcome, folder: RunFolder): Promise<void> {
  const { end, ailment, lost } = outcome;
  if (end?.type === 'finished') return;
  if (end?.type === 'stopped') throw new OSLER_ERR_INTERRUPTED(stoppedText(id, end.step, end.totalSteps));
  if (end?.type === 'failed') throw failed(id, outcome, `${sentence(end.message)} Next: ${sentence(end.nextStep)} ${howToGoOn(id)}`);
  if (ailment !== null) throw failed(id, outcome, `the trainer ${ailment}${whereText(outcome)}, and was ended. ${howToGoOn(id)}`);
  if (lost !== null)
    throw failed(
      id,
      outcome,
      `the launcher cannot be reached any more${whereText(outcome)}: ${lost} The trainer may still be at work there. Follow it again with: npx osler train --resume ${id}`,
    );
  // Where not even a last word could be written.
  await checkFreeDisk(folder.root, 1);
  throw failed(
    id,
    outcome,
    `the trainer ended without a word${whereText(outcome)}. Its log ends with:\n${await tailLog(folder.log)}\nGo on from the last checkpoint with: npx osler train --resume ${id}`,
  );
}

function stoppedText(id: string, step: number, totalSteps: number): string {
  const where = totalSteps === 0 ? 'before its first step' : `after step ${step} of ${totalSteps}, and a checkpoint was saved`;
  return `Run "${id}" was stopped ${where}. ${howToGoOn(id)}`;
}

function whereText({ lastStep }: TrainerOutcome): string {
  return lastStep === null ? ' before its first step' : ` after step ${lastStep.step} of ${lastStep.totalSteps}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function failed(id: string, { noise }: TrainerOutcome, text: string): Error {
  const noted = noise.describe();
  return new OSLER_ERR_RUN_FAILED(id, noted === '' ? text : `${text}\n${noted}`);
}
