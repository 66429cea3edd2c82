import type { SlotChoice } from './slot-choice.ts';

/** A prompt to read, and how much of what is cached before it may be read again. */
interface Reading {
  readonly tokens: number;
  readonly spare: number;
}

/**
 * Requests that are admitted together, put in the order of their lengths and evened out by reading a few cached tokens again,
 * where that is cheaper than the choice as it is.
 *
 * llama.cpp reads as many tokens of every prompt in one pass as the shortest has left, neighbours only: prompts of 16 different
 * lengths take 16 passes over the weights, though together they are no longer than 16 equal ones that take one.
 *
 * @param lengths tokens of each request's prompt
 * @param prefixTokens for each request, the tokens that each slot's cache has in common with its prompt
 * @param passTokens what one more pass costs, in tokens read
 */
export function alignReadings(
  choices: readonly SlotChoice[],
  lengths: readonly number[],
  prefixTokens: readonly (readonly number[])[],
  passTokens: number,
): readonly SlotChoice[] {
  if (choices.length < 2) return choices;
  const readings = choices.map((choice) => (lengths[choice.request] ?? 0) - choice.prefixTokens);
  const cost = sum(readings) + passTokens * new Set(readings).size;

  const slots = choices.map(({ slot }) => slot).toSorted((a, b) => a - b);
  const requests = choices.map(({ request }) => request).toSorted((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
  const common = Math.min(...requests.flatMap((request) => slots.map((slot) => prefixTokens[request]?.[slot] ?? 0)));
  const aligned = evenOut(
    requests.map((request) => ({ tokens: (lengths[request] ?? 0) - common, spare: common })),
    passTokens,
  );
  if (aligned === null || sum(aligned) + passTokens * new Set(aligned).size >= cost) return choices;
  return requests.map((request, place) => ({
    request,
    slot: slots[place] ?? 0,
    prefixTokens: (lengths[request] ?? 0) - (aligned[place] ?? 0),
  }));
}

/** The cheapest lengths that are at least these, which ascend: each is raised to that of the last in its group, and a group costs a pass. */
function evenOut(readings: readonly Reading[], passTokens: number): number[] | null {
  /** By how many of the first readings: the least cost, and where the last group begins. */
  const best: { cost: number; start: number }[] = [{ cost: 0, start: 0 }];
  for (let end = 1; end <= readings.length; end += 1) {
    const longest = readings[end - 1]?.tokens ?? 0;
    let least = { cost: Infinity, start: end - 1 };
    let grouped = 0;
    for (let start = end - 1; start >= 0; start -= 1) {
      const reading = readings[start];
      if (reading === undefined || longest - reading.tokens > reading.spare) break;
      grouped += longest;
      const cost = (best[start]?.cost ?? Infinity) + grouped + passTokens;
      if (cost < least.cost) least = { cost, start };
    }
    best.push(least);
  }
  const aligned: number[] = [];
  for (let end = readings.length; end > 0;) {
    const { cost, start } = best[end] ?? { cost: Infinity, start: end - 1 };
    if (cost === Infinity) return null;
    for (let place = start; place < end; place += 1) aligned[place] = readings[end - 1]?.tokens ?? 0;
    end = start;
  }
  return aligned;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
