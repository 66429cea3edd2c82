import type { FastifyBaseLogger } from 'fastify';
import { messageOf } from '../core/errors.ts';
import type { Trainings } from '../train/trainings.ts';

/** Works on a run in the background, where nobody does. */
export function takeUpRun(trainings: Trainings, id: string, log: FastifyBaseLogger): void {
  if (trainings.isAbandoned(id))
    trainings.execute(id).catch((error: unknown) => log.warn({ run: id, reason: messageOf(error) }, 'run ended early'));
}
