import { messageOf } from '../../core/errors.ts';
import type { Finding } from './finding.ts';

const timeoutMs = 10_000;

/** Whether the Hub answers at all; any answer below 500 does. */
export async function hubFinding(endpoint: string): Promise<Finding> {
  const mend = 'check the connection and its proxy, or set HF_ENDPOINT to a mirror; models given by path need no Hub';
  try {
    const { status } = await fetch(endpoint, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    if (status < 500) return { title: 'Hub', level: 'ok', text: `${endpoint} answers`, mend: null };
    return { title: 'Hub', level: 'warning', text: `${endpoint} answers with status ${status}`, mend };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
    return { title: 'Hub', level: 'warning', text: `${endpoint} does not answer: ${cause}`, mend };
  }
}
