import { z } from 'zod';
import { buildCommand } from './backend-candidates.ts';
import { BackendChoice, backendName } from './backend-choice.ts';
import { type Devices, hasDevice } from './devices.ts';

/** What came of one candidate. `untried`: one before it was good. */
export const CandidateOutcome = z.strictObject({
  choice: BackendChoice,
  name: z.string(),
  state: z.enum(['passed', 'failed', 'skipped', 'untried']),
  /** Of a failed or skipped one. */
  reason: z.string().nullable(),
  device: z.string().nullable(),
  tokensPerSecond: z.number().nullable(),
  /** How long the probe took, its process's start included. */
  seconds: z.number().nullable(),
});
export type CandidateOutcome = z.infer<typeof CandidateOutcome>;

/** Which backend was chosen, and what was found on the way. */
export const BackendReport = z.strictObject({
  choice: BackendChoice,
  /** What the chosen one computes on, in its own words. */
  device: z.string(),
  why: z.string(),
  outcomes: z.array(CandidateOutcome),
});
export type BackendReport = z.infer<typeof BackendReport>;

/** The first that passed, with the reason; undefined: none did. */
export function reportOf(outcomes: readonly CandidateOutcome[]): BackendReport | undefined {
  const at = outcomes.findIndex(({ state }) => state === 'passed');
  const chosen = outcomes[at];
  if (chosen === undefined) return undefined;
  return { choice: chosen.choice, device: chosen.device ?? chosen.name, why: whyOf(outcomes.slice(0, at)), outcomes: [...outcomes] };
}

function whyOf(earlier: readonly CandidateOutcome[]): string {
  const failed = earlier.filter(({ state }) => state === 'failed');
  if (failed.length > 0) return `the first in the order that decodes (before it failed: ${failed.map(({ name }) => name).join('; ')})`;
  return earlier.length === 0
    ? 'the first in the order, and it decodes'
    : 'the first in the order that this machine can have, and it decodes';
}

/**
 * The command that gives this machine the engine it should have: a build for the best GPU that is here and that no backend can use.
 * null: nothing better than what was chosen is to be had.
 */
export function mendOf(outcomes: readonly CandidateOutcome[], devices: Devices): string | null {
  for (const { choice, state } of outcomes) {
    if (state === 'passed') return null;
    const hasPassed = outcomes.some((other) => other.choice.gpu === choice.gpu && other.state === 'passed');
    if (!hasPassed && hasDevice(choice.gpu, devices)) return buildCommand(choice.gpu);
  }
  return null;
}

/** One line: what it is, how it went. */
export function describeOutcome({ choice, state, reason, device, tokensPerSecond, seconds }: CandidateOutcome): string {
  const took = seconds === null ? '' : ` in ${seconds.toFixed(1)} s`;
  const name = backendName(choice);
  if (state === 'passed')
    return `${name}: decodes on ${device ?? 'it'}, ${tokensPerSecond?.toFixed(0) ?? '?'} tokens/s with the test model${took}`;
  if (state === 'untried') return `${name}: not tried, as one before it works`;
  return `${name}: ${state}${took}: ${reason ?? 'no reason given'}`;
}
