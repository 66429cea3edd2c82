import { rmSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { LlamaContextSequence } from 'node-llama-cpp';
import type { SlotChoice, SlotView } from './slot-choice.ts';

/** A prefix must save so many tokens to be worth copying, or waiting for: a copy of 500 tokens takes as long as reading 8 to 10. */
const minGainTokens = 24;
const memoryFolder = '/dev/shm';

/** What one slot's cache is to get from another's. */
export interface PrefixCopy {
  readonly from: number;
  readonly to: number;
}

/**
 * Which prompts had better wait, since another one that is being read, or comes before them, begins as they do: what is read once
 * can then be copied. Gives their places.
 *
 * @param leaders prompts that are being read
 * @param cachedTokens for each prompt, the longest prefix that any slot holds already
 */
export function findFollowers(
  prompts: readonly (readonly number[])[],
  leaders: readonly (readonly number[])[],
  cachedTokens: readonly number[],
): Set<number> {
  const ahead = [...leaders];
  const followers = new Set<number>();
  for (const [place, prompt] of prompts.entries()) {
    const wanted = (cachedTokens[place] ?? 0) + minGainTokens;
    if (ahead.some((leader) => commonTokens(leader, prompt) >= wanted)) followers.add(place);
    else ahead.push(prompt);
  }
  return followers;
}

/**
 * The copies that save requests from reading what another slot holds.
 *
 * @param prefixTokens for each request, the tokens that each slot, free or not, has in common with its prompt
 */
export function planCopies(
  choices: readonly SlotChoice[],
  prefixTokens: readonly (readonly number[])[],
  slots: readonly SlotView[],
): PrefixCopy[] {
  return choices.flatMap(({ request, slot, prefixTokens: own }) => {
    const row = prefixTokens[request] ?? [];
    const longest = Math.max(...row);
    if (longest < own + minGainTokens) return [];
    // A copy takes all that its source holds.
    const [source] = [...row.keys()]
      .filter((from) => row[from] === longest)
      .toSorted((a, b) => (slots[a]?.cachedTokens ?? 0) - (slots[b]?.cachedTokens ?? 0));
    return source === undefined ? [] : [{ from: source, to: slot }];
  });
}

/** How many tokens two prompts have in common, the last of the second aside, which is always read. */
function commonTokens(first: readonly number[], second: readonly number[]): number {
  const most = Math.min(first.length, second.length - 1);
  let count = 0;
  while (count < most && first[count] === second[count]) count += 1;
  return count;
}

/**
 * Copies caches between the sequences of a context by way of a file in memory, the only way that the library offers. 450 tokens of a
 * model of 135 million parameters take 10 MB, 6 ms to write and 4 ms to read, where reading the prompt took 760 ms (2 cores).
 *
 * What is copied was made of prompts, so it never touches a disk: the folder is in memory and for this user alone, and a file is
 * removed as soon as it was read.
 */
export class PrefixCopier {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** null where the system has no folder in memory. Removes what killed processes left behind. */
  static async create(): Promise<PrefixCopier | null> {
    for (const name of await readdir(memoryFolder).catch(() => [])) {
      const [, processId] = /^osler-(\d+)-/.exec(name) ?? [];
      // Another user's stay: they cannot be removed.
      if (processId !== undefined && !isAlive(Number(processId)))
        await rm(path.join(memoryFolder, name), { recursive: true, force: true }).catch(() => undefined);
    }
    const folder = await mkdtemp(path.join(memoryFolder, `osler-${process.pid}-`)).catch(() => null);
    if (folder === null) return null;
    const copier = new PrefixCopier(folder);
    process.once('exit', () => copier.remove());
    return copier;
  }

  /** A copy that fails leaves its slot empty, or as it was: its request reads the whole prompt then. */
  async copy(sequences: readonly LlamaContextSequence[], copies: readonly PrefixCopy[]): Promise<void> {
    // All are written before any is read: a slot may give and take.
    const sources = new Set(copies.map(({ from }) => from));
    const fileOf = (slot: number): string => path.join(this.#folder, `${slot}`);
    try {
      for (const from of sources) await sequences[from]?.saveStateToFile(fileOf(from));
      for (const { from, to } of copies) await sequences[to]?.loadStateFromFile(fileOf(from), { acceptRisk: true });
    } catch {
      // Memory is short, most likely.
    } finally {
      for (const from of sources) await rm(fileOf(from), { force: true });
    }
  }

  /** Removes its folder. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
