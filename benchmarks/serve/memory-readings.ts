import { setTimeout as pause } from 'node:timers/promises';
import { residentBytes } from './process-tree.ts';
import { type Spread, spreadOf } from './statistics.ts';

const readEveryMs = 250;
const mebibyte = 2 ** 20;

/** Resident memory while a stretch of requests was served, in MiB. */
export interface Stretch {
  readonly fromRequest: number;
  readonly toRequest: number;
  readonly total: Spread;
  /** Of each process by itself, the server first. */
  readonly processes: readonly Spread[];
}

/**
 * Reads the memory of a process and of all that it started four times a second while work goes on.
 * One reading says little: what garbage collection will free rises and falls by tens of MiB.
 *
 * @throws Error where the system does not tell the memory of a process
 */
export async function readWhile(pid: number, work: Promise<unknown>): Promise<Pick<Stretch, 'total' | 'processes'>> {
  const readings: number[][] = [];
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    readings.push((await residentBytes(pid)).map((bytes) => bytes / mebibyte));
    await Promise.race([done, pause(readEveryMs)]);
  }
  await done;
  if (readings[0] === undefined || readings[0].length === 0)
    throw new Error('This system does not tell the memory of a process: the benchmark needs /proc.');
  return {
    total: spreadOf(readings.map((sizes) => sizes.reduce((sum, size) => sum + size, 0))),
    processes: readings[0].map((_size, place) => spreadOf(readings.flatMap((sizes) => sizes[place] ?? []))),
  };
}

/** `median [least, greatest] MiB (server + engine)`. */
export function showStretch({ fromRequest, toRequest, total, processes }: Stretch): string {
  const sizes = [total.median, total.min, total.max].map((size) => size.toFixed(1));
  const parts = processes.map((size) => size.median.toFixed(1)).join(' + ');
  return `requests ${fromRequest} to ${toRequest}: ${sizes[0]} [${sizes[1]}, ${sizes[2]}] MiB (${parts})`;
}
