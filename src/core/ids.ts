import { randomBytes } from 'node:crypto';

/** A run's or evaluation's id: date, time and four random bytes, so that folders sort by age. */
export function createDatedId(prefix: string, now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').slice(0, 15).toLowerCase();
  return `${prefix}-${stamp}-${randomBytes(4).toString('hex')}`;
}

/** An id for one HTTP request or answer, as OpenAI writes them. */
export function createRequestId(prefix: string): string {
  return `${prefix}-${randomBytes(12).toString('hex')}`;
}
