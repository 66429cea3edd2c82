import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freeDiskBytes } from '../../core/free-disk.ts';
import type { Finding } from './finding.ts';

const leastNodeMajor = 24;
const lowMemoryBytes = 3e9;
const lowDiskBytes = 10e9;

/** What the processor gives and what the engine takes of it. */
export interface Cores {
  readonly model: string;
  /** Cores this process may use. */
  readonly available: number;
  /** Cores of the host. */
  readonly host: number;
  /** Limit of its control group, in cores; null: none. */
  readonly quota: number | null;
  readonly threads: number;
}

export function nodeFinding(version = process.versions.node): Finding {
  const isNew = Number(version.split('.')[0]) >= leastNodeMajor;
  return {
    title: 'Node',
    level: isNew ? 'ok' : 'failure',
    text: version,
    mend: isNew ? null : 'npm ci (it brings Node 24 as a package, and npx osler uses it)',
  };
}

/** More threads than cores make decoding up to 160 times slower (0.3 in place of 49 tokens/s on 2 cores). */
export function coresFinding({ model, available, host, quota, threads }: Cores): Finding {
  const limit = quota === null ? available : Math.min(available, Math.max(1, Math.ceil(quota)));
  const isTooMany = threads > limit;
  const quotaText = quota === null ? 'no quota' : `a quota of ${Number(quota.toFixed(2))}`;
  const text = `${model}: ${available} of ${host} cores for this process, ${quotaText}; the engine takes ${threads} threads`;
  return {
    title: 'Processor',
    level: isTooMany ? 'warning' : 'ok',
    text: isTooMany ? `${text}, which is more than there are cores and can be a hundred times slower` : text,
    mend: isTooMany ? `export OSLER_THREADS=${limit}` : null,
  };
}

export function memoryFinding(memory = { availableBytes: process.availableMemory(), totalBytes: totalMemoryBytes() }): Finding {
  const isLow = memory.availableBytes < lowMemoryBytes;
  return {
    title: 'Memory',
    level: isLow ? 'warning' : 'ok',
    text: `${gigabytes(memory.availableBytes)} of ${gigabytes(memory.totalBytes)} free${isLow ? '; training the smallest model takes about 3 GB' : ''}`,
    mend: isLow ? 'end other programs, or raise the memory limit of this container' : null,
  };
}

/** The disk that OSLER_HOME is on, or would be. */
export async function diskFinding(home: string): Promise<Finding> {
  const folder = await nearestFolder(home);
  const freeBytes = await freeDiskBytes(folder);
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  const text = `${home}: ${gigabytes(freeBytes)} free`;
  const elsewhere = 'export OSLER_HOME=/a/folder/with/room';
  if (!isWritable) return { title: 'Home', level: 'failure', text: `${home} cannot be written`, mend: elsewhere };
  if (freeBytes < lowDiskBytes) return { title: 'Home', level: 'warning', text: `${text}; models and runs may not fit`, mend: elsewhere };
  return { title: 'Home', level: 'ok', text, mend: null };
}

/** The folder itself, or the nearest one above it that is there. */
async function nearestFolder(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    const isThere = await access(at).then(
      () => true,
      () => false,
    );
    if (isThere || at === path.dirname(at)) return at;
  }
}

function totalMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
