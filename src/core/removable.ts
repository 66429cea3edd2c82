import { z } from 'zod';

/** What `osler clean` and the retention can remove. */
export const RemovableKind = z.enum(['checkpoints', 'samples', 'runs', 'caches']);
export type RemovableKind = z.infer<typeof RemovableKind>;

/** One thing to remove. Its name says which it is and nothing of what is in it, so that it can be logged. */
export interface Removable {
  readonly kind: RemovableKind;
  readonly name: string;
  readonly bytes: number;
  readonly lastUsed: Date;
  /** Throws where it came into use since it was listed. */
  remove(): Promise<void>;
}
