import { OSLER_ERR_RUN_PREFLIGHT } from '../core/errors.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { checkTraining } from '../server/training-check.ts';
import { blockingFindings } from '../train/preflight/preflight.ts';
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
  const asksTrainer = launcher === 'local';
  const check = await checkTraining(recipe, context, { itemFiles, asksTrainer, onStep: (step) => reporter.step(step), signal });
  process.stdout.write(json ? `${JSON.stringify(check)}\n` : renderCheck(check));
  if (check.findings.some(({ level }) => level === 'error')) process.exitCode = failedExitCode;
}

/**
 * The check before `osler train` makes a run: warnings are told, and what would fail is refused.
 *
 * @throws OSLER_ERR_DATA_* and others of `trainings.check`, OSLER_ERR_RUN_PREFLIGHT naming every error
 */
export async function requireCheck(
  context: CliContext,
  recipe: Recipe,
  options: { readonly launcher: string; readonly ignoresEstimates: boolean },
  reporter: Reporter,
): Promise<void> {
  await context.trainings.check(recipe, options.launcher);
  using signal = interruptSignal(() => reporter.info('stopping; nothing was begun'));
  // What another machine has is told by that one, when the trainer starts there.
  const asksTrainer = options.launcher === 'local';
  const check = await checkTraining(recipe, context, { asksTrainer, onStep: (step) => reporter.step(step), signal });
  const blocking = blockingFindings(check, options);
  if (blocking.length > 0) {
    const isEstimate = blockingFindings(check, { ignoresEstimates: true }).length === 0;
    const way = isEstimate ? '\nThese are estimates; --ignore-estimates starts it all the same.' : '';
    throw new OSLER_ERR_RUN_PREFLIGHT(`${blocking.length} to mend first.\n${blocking.map(renderFinding).join('\n')}${way}`);
  }
  for (const finding of check.findings) if (finding.level !== 'note') reporter.info(renderFinding(finding));
}
