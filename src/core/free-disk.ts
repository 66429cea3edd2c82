import { statfs } from 'node:fs/promises';
import { OSLER_ERR_DISK_FULL } from './errors.ts';

/** Kept free beyond what is asked for, so that the store and its log can still write. */
const reserveBytes = 64 << 20;

/** Bytes that a user may still write to the disk of a folder. Throws where there is no such folder. */
export async function freeDiskBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/**
 * Refuses to start what the disk of a folder cannot hold.
 *
 * @throws OSLER_ERR_DISK_FULL
 */
export async function checkFreeDisk(folder: string, neededBytes: number): Promise<void> {
  if (neededBytes === 0) return;
  const freeBytes = await freeDiskBytes(folder);
  if (freeBytes < neededBytes + reserveBytes)
    throw new OSLER_ERR_DISK_FULL(folder, formatGigabytes(neededBytes + reserveBytes), formatGigabytes(freeBytes));
}

/** Turns the system's ENOSPC into the catalogue's error, and leaves others as they are. */
export async function diskFullOf(error: unknown, folder: string, neededBytes: number): Promise<unknown> {
  if (!(error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))) return error;
  const freeBytes = await freeDiskBytes(folder).catch(() => 0);
  return new OSLER_ERR_DISK_FULL(folder, formatGigabytes(neededBytes), formatGigabytes(freeBytes));
}

function formatGigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
