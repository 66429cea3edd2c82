import type { Recipe } from '../core/schema/recipe.ts';
import type { Run } from '../core/schema/run.ts';
import { startTraining } from '../server/start-training.ts';
import { checkTraining } from '../server/training-check.ts';
import type { CliContext } from './context.ts';
import type { Reporter } from './progress.ts';
import { interruptSignal } from './interrupt.ts';
import { renderCheck, renderFinding } from './render-check.ts';

const failedExitCode = 3;

/** `osler train --check`: prints what was found, starts nothing, and ends with 0, or with 3 where the training cannot start. */
export async function runCheck(
  context: CliContext,
  recipe: Recipe,
  options: { readonly launcher: string; readonly itemFiles: readonly string[]; readonly json: boolean },
  reporter: Reporter,
): Promise<void> {
  const { launcher, itemFiles, json } = options;
  using signal = interruptSignal(() => reporter.info('stopping'));
  const onStep = (step: string): void => reporter.step(step);
  const check = await checkTraining(recipe, context, { launcher, itemFiles, onStep, onPart: onStep, signal });
  process.stdout.write(json ? `${JSON.stringify(check)}\n` : renderCheck(check));
  if (check.findings.some(({ level }) => level === 'error')) process.exitCode = failedExitCode;
}

/**
 * Checks a training and makes a run of it: warnings are told, and what would fail is refused.
 *
 * @param options.isCalm tells of a set-up and of warnings alone, and not of each part that is looked at
 * @throws OSLER_ERR_DATA_* and others of `trainings.check`, OSLER_ERR_RUN_PREFLIGHT naming every error
 */
export async function startChecked(
  context: CliContext,
  recipe: Recipe,
  options: { readonly launcher: string; readonly ignoresEstimates: boolean; readonly isCalm?: boolean },
  reporter: Reporter,
  signal: AbortSignal,
): Promise<Run> {
  const onStep = (step: string): void => reporter.step(step);
  const { run, check } = await startTraining(recipe, context, {
    ...options,
    wording: { lineOf: renderFinding, override: '--ignore-estimates' },
    onStep,
    ...(options.isCalm !== true && { onPart: onStep }),
    signal,
  });
  for (const finding of check.findings) if (finding.level !== 'note') reporter.info(renderFinding(finding));
  return run;
}
