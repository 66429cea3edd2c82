/** Where nothing is known of how long it takes. */
const defaultSeconds = 5;
/** For the server that comes after this one to be there. */
export const drainRetrySeconds = 10;

/** Says with an error when to try again. */
export function withRetryAfter<E extends Error>(error: E, seconds: number): E & { retryAfterSeconds: number } {
  return Object.assign(error, { retryAfterSeconds: Math.max(1, Math.ceil(seconds)) });
}

/** Whether an error says when to try again. */
export function saysWhenToRetry(error: unknown): error is Error & { retryAfterSeconds: number } {
  return error instanceof Error && 'retryAfterSeconds' in error && typeof error.retryAfterSeconds === 'number';
}

/** Seconds for the header Retry-After of an error; 5 where the error does not say. */
export function retryAfterOf(error: unknown): number {
  return saysWhenToRetry(error) ? error.retryAfterSeconds : defaultSeconds;
}
