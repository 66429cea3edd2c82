import { z } from 'zod';

/** The run that a path names. */
export const RunParams = z.object({ id: z.string().min(1) });
