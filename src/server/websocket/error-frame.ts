import type { FastifyBaseLogger } from 'fastify';
import { errorBodyOf, logFailure } from '../error-reply.ts';
import type { ServerFrame } from './frames.ts';

type ErrorFrame = Extract<ServerFrame, { type: 'error' }>;

/** What went wrong, and with what. */
export interface FrameFault {
  /** The chat that ends with it; null: none does. */
  readonly id: string | null;
  readonly error: unknown;
  readonly requestId: string;
  /** Left out: read from the error. */
  readonly param?: string | null;
}

/** The frame for any thrown value; logs it where the server is at fault. */
export function errorFrame(log: FastifyBaseLogger, { id, error, requestId, param }: FrameFault): ErrorFrame {
  const { status, body } = errorBodyOf(error, requestId);
  if (status >= 500) logFailure({ log }, error, 'chat failed');
  return { type: 'error', id, error: { ...body.error, ...(param !== undefined && { param }) } };
}
