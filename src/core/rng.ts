import { randomInt } from 'node:crypto';
import { sha256 } from './digest.ts';

/** A seeded generator of uniform numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An unpredictable 32-bit seed. The engine's own default is the clock in seconds, so parallel requests would repeat each other. */
export function drawSeed(): number {
  return randomInt(0, 2 ** 32);
}

/** A 32-bit seed that depends only on the root seed and the names: the same attempt gets the same seed in every run. */
export function deriveSeed(root: number, ...names: readonly (string | number)[]): number {
  return Number.parseInt(sha256(JSON.stringify([root, ...names])).slice(0, 8), 16);
}
