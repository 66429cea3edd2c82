import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RunFolder } from '../run-folder.ts';

/** The certificate of a run, as far as a card tells it. */
export const CardCertificate = z.looseObject({
  passed: z.boolean(),
  checks: z.array(z.looseObject({ id: z.string(), title: z.string(), status: z.string(), detail: z.string() })),
});
export type CardCertificate = z.infer<typeof CardCertificate>;

/** certificate.json of a run with its text; undefined where there is none that can be read. */
export async function readCertificate(
  folder: Pick<RunFolder, 'root'>,
): Promise<{ text: string; certificate: CardCertificate } | undefined> {
  const text = await readFile(path.join(folder.root, 'certificate.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const certificate = CardCertificate.safeParse(JSON.parse(text)).data;
    return certificate === undefined ? undefined : { text, certificate };
  } catch {
    return undefined;
  }
}
