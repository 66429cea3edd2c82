import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Distribution } from './divergence.ts';
import { readTensor, readTensors } from './safetensors.ts';

const ids = z.array(z.int().min(0));
const digests = z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() }));
const greedy = z.strictObject({
  ids,
  text: z.string(),
  ends: z.array(z.int()).describe('characters of the text that stand after each token'),
});
const arm = z.strictObject({ nll: z.number(), greedy: z.array(greedy) });
const distance = z.strictObject({ kl: z.number(), sameTop: z.number() });

/** reference/reference.json of a run: what base and merged model say in Python; see python/osler_trainer/reference.py. */
export const Reference = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  isHeldOut: z.boolean(),
  vocabulary: z.int(),
  maxRest: z.number(),
  computedIn: z.strictObject({ device: z.string(), dtype: z.string() }),
  baseFiles: digests,
  mergedFiles: digests,
  templateSha256: z.string(),
  bosId: z.int().nullable(),
  eosId: z.int(),
  rows: z.array(z.strictObject({ id: z.string(), text: z.string(), ids, isTruncated: z.boolean() })).describe('as they are trained'),
  prompts: z.array(z.strictObject({ id: z.string(), question: z.string(), text: z.string(), ids })),
  texts: z.array(z.strictObject({ id: z.string(), ids, places: ids })),
  arms: z.strictObject({ base: arm, merged: arm }),
  tuning: distance.describe('merged against base'),
  inMemory: distance.extend({ nll: z.number() }).nullable().describe('merged against the trained model as it was in memory'),
});
export type Reference = z.infer<typeof Reference>;

/** The reference with its distributions: of each arm one for each place, the texts' one after the other. */
export interface LoadedReference {
  readonly reference: Reference;
  readonly distributions: { readonly base: readonly Distribution[]; readonly merged: readonly Distribution[] };
}

/** Reads a run's reference; undefined where there is none. Throws where one is there and is damaged. */
export async function readReference(root: string): Promise<LoadedReference | undefined> {
  const folder = path.join(root, 'reference');
  const text = await readFile(path.join(folder, 'reference.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const reference = Reference.parse(JSON.parse(text));
  const tensors = await readTensors(path.join(folder, 'reference.safetensors'));
  const places = reference.texts.reduce((sum, entry) => sum + entry.places.length, 0);
  const distributionsOf = (name: 'base' | 'merged'): Distribution[] => {
    const [counts, tokens, logprobs] = ['counts', 'ids', 'logprobs'].map((part) => readTensor(tensors, `${name}.${part}`));
    if (counts?.length !== places) throw new Error(`the reference has ${counts?.length ?? 0} distributions and ${places} places`);
    let start = 0;
    return counts.map((count) => {
      const end = start + count;
      const distribution = { ids: tokens?.slice(start, end) ?? [], logprobs: logprobs?.slice(start, end) ?? [] };
      start = end;
      return distribution;
    });
  };
  return { reference, distributions: { base: distributionsOf('base'), merged: distributionsOf('merged') } };
}
