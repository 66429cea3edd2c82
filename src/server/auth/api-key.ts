import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../../core/digest.ts';

/** What a key may do: ask models, evaluate them, or everything (trainings, models, pushes). */
export const Scope = z.enum(['chat', 'evaluate', 'admin']);
export type Scope = z.infer<typeof Scope>;

/** A stored key, without its secret: that is shown once and kept as a digest only. */
export const ApiKey = z.strictObject({
  id: z.string(),
  name: z.string(),
  scopes: z.array(Scope).min(1),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  /** A day, not a moment: enough to see which keys are dead, and one write a day. */
  lastUsedOn: z.iso.date().nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;

/** A new secret of 256 random bits. */
export function createSecret(): string {
  return `osk_${randomBytes(32).toString('base64url')}`;
}

/** What is stored of a secret. Nobody can try out 2^256 of them, so a fast hash without salt hides it as well as a slow one. */
export function digestOfSecret(secret: string): string {
  return sha256(secret);
}

/** Whether a key lets its holder in at this moment. */
export function isUsable(key: ApiKey, now: Date): boolean {
  return key.revokedAt === null && (key.expiresAt === null || Date.parse(key.expiresAt) > now.getTime());
}

/** Whether scopes allow what a scope stands for; `admin` implies all. */
export function hasScope(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.includes(wanted) || scopes.includes('admin');
}
