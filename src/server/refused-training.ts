import { OSLER_ERR_RUN_PREFLIGHT, type OslerError } from '../core/errors.ts';
import type { CheckFinding, TrainingCheck } from '../core/schema/training-check.ts';
import { blockingFindings } from '../train/preflight/preflight.ts';

/** How a refusal is worded: each finding, and what the caller sets to start all the same. */
export interface RefusalWording {
  readonly lineOf: (finding: CheckFinding) => string;
  readonly override: string;
}

/** An error that tells of every finding too, for programs. */
type RefusedTraining = OslerError & { readonly findings: readonly CheckFinding[] };

/** The findings that an error carries; undefined: it is another one. */
export function findingsOf(error: unknown): readonly CheckFinding[] | undefined {
  return isRefusal(error) ? error.findings : undefined;
}

/** OSLER_ERR_RUN_PREFLIGHT of what blocks a training. */
export function refusalOf(check: TrainingCheck, blocking: readonly CheckFinding[], { lineOf, override }: RefusalWording): OslerError {
  const isEstimate = blockingFindings(check, { ignoresEstimates: true }).length === 0;
  const way = isEstimate ? `\nThese are estimates; ${override} starts it all the same.` : '';
  const error = new OSLER_ERR_RUN_PREFLIGHT(`${blocking.length} to mend first.\n${blocking.map(lineOf).join('\n')}${way}`);
  return Object.assign(error, { findings: check.findings });
}

function isRefusal(error: unknown): error is RefusedTraining {
  return error instanceof OSLER_ERR_RUN_PREFLIGHT && 'findings' in error;
}
