import { OSLER_ERR_EVALUATION_ITEMS } from '../../core/errors.ts';
import type { PlacedFault } from './item-fault.ts';
import type { LoadedTask } from './load-part.ts';

const shownFaults = 20;
const saidFaults = 10;

/**
 * Throws everything that keeps tasks from being evaluated on, at once; a single failure of one task as it is.
 *
 * @throws OSLER_ERR_EVALUATION_ITEMS, or the only failure
 */
export function throwProblems(failures: readonly Error[], loaded: readonly LoadedTask[]): void {
  const bad = loaded.filter(({ faults }) => faults.length > 0);
  const [only] = failures;
  if (only === undefined && bad.length === 0) return;
  if (only !== undefined && failures.length === 1 && bad.length === 0) throw only;
  const count = bad.reduce((sum, { faults }) => sum + faults.length, failures.length);
  const blocks = [
    ...failures.map(({ message }) => `- ${message}`),
    ...bad.map(({ label, faults, rows }) => `- "${label}": ${countPlaces(faults)} of ${rows} rows cannot be used:\n${listFaults(faults)}`),
  ];
  const advice =
    bad.length === 0
      ? 'Mend them and start again.'
      : 'Mend these rows, or let osler eval leave them out with --drop-bad-items: plan and report then say which.';
  throw new OSLER_ERR_EVALUATION_ITEMS(count, blocks.join('\n'), advice);
}

/** The first faults with their places in one sentence, and how many more there are. */
export function describeFaults(faults: readonly Pick<PlacedFault, 'place' | 'reason'>[]): string {
  const first = faults.slice(0, saidFaults).map(({ place, reason }) => `${place}: ${reason}`);
  return [...first, ...(faults.length > saidFaults ? [`and ${faults.length - saidFaults} more`] : [])].join('; ');
}

function listFaults(faults: readonly PlacedFault[]): string {
  const lines = faults.slice(0, shownFaults).map(({ place, reason }) => `  ${place}: ${reason}`);
  return [...lines, ...(faults.length > shownFaults ? [`  … and ${faults.length - shownFaults} more`] : [])].join('\n');
}

/** In how many rows the faults are. */
export function countPlaces(faults: readonly Pick<PlacedFault, 'place'>[]): number {
  return new Set(faults.map(({ place }) => place)).size;
}
