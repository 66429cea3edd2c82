import { buildCommand } from '../../engine/llama/backend-candidates.ts';
import { backendName } from '../../engine/llama/backend-choice.ts';
import { type BackendReport, type CandidateOutcome, describeOutcome, mendOf } from '../../engine/llama/backend-report.ts';
import { type Devices, hasDevice } from '../../engine/llama/devices.ts';
import type { Finding } from './finding.ts';

/** A finding for each backend, then one for the choice. `report` is undefined where none decodes. */
export function engineFindings(outcomes: readonly CandidateOutcome[], report: BackendReport | undefined, devices: Devices): Finding[] {
  return [...outcomes.map((outcome) => outcomeFinding(outcome, outcomes, devices)), choiceFinding(outcomes, report, devices)];
}

function outcomeFinding(outcome: CandidateOutcome, outcomes: readonly CandidateOutcome[], devices: Devices): Finding {
  const { choice, state } = outcome;
  const text = describeOutcome(outcome);
  if (state === 'passed') return { title: 'Backend', level: 'ok', text, mend: null };
  const isReplaced = outcomes.some((other) => other.choice.gpu === choice.gpu && other.state === 'passed');
  if (isReplaced || !hasDevice(choice.gpu, devices)) return { title: 'Backend', level: 'note', text, mend: null };
  const mend = buildCommand(choice.gpu);
  return { title: 'Backend', level: 'warning', text, mend: choice.source === 'build' ? `${mend} --force` : mend };
}

function choiceFinding(outcomes: readonly CandidateOutcome[], report: BackendReport | undefined, devices: Devices): Finding {
  const mend = mendOf(outcomes, devices);
  if (report === undefined) {
    const text = 'no backend decodes here, so nothing can be served or evaluated';
    return { title: 'Engine', level: 'failure', text, mend: mend ?? 'unset OSLER_GPU, or set it to off to use the CPU' };
  }
  const text = `${backendName(report.choice)}, on ${report.device}: ${report.why}`;
  if (mend !== null) return { title: 'Engine', level: 'warning', text: `${text}; a better one could be had`, mend };
  // Its threads spin while they wait, so that every other program on the same cores costs far more than its share.
  const isSpinning = report.choice.gpu === 'off' && report.choice.source === 'prebuilt' && process.platform === 'linux';
  if (isSpinning)
    return {
      title: 'Engine',
      level: 'note',
      text: `${text}. One that is compiled here is faster where cores are shared`,
      mend: buildCommand('off'),
    };
  return { title: 'Engine', level: 'ok', text, mend: null };
}
