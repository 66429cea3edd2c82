import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RunFolder } from '../run-folder.ts';

/** The certificate of a run, as far as a card tells it. */
export const CardCertificate = z.looseObject({
  passed: z.boolean(),
  checks: z.array(z.looseObject({ id: z.string(), title: z.string(), status: z.string(), detail: z.string() })),
  subject: z
    .looseObject({ files: z.array(z.looseObject({ sha256: z.string() })) })
    .optional()
    .describe('the files that were checked'),
});
export type CardCertificate = z.infer<typeof CardCertificate>;

/** Whether every check was run and passed: a certificate passes where none failed, also if some could not be run. */
export function isFullyCertified({ passed, checks }: CardCertificate): boolean {
  return passed && checks.every((check) => check.status === 'passed');
}

/** Of files of weights, those that a certificate does not name by their sha256; none where it names no files. */
export function uncertifiedOf(
  certificate: CardCertificate | undefined,
  files: readonly { readonly path: string; readonly sha256: string | null }[],
): string[] {
  if (certificate?.subject === undefined) return [];
  const certified = new Set(certificate.subject.files.map((file) => file.sha256));
  const weights = files.filter((file) => /\.(?:safetensors|gguf)$/.test(file.path));
  return weights.filter((file) => file.sha256 === null || !certified.has(file.sha256)).map((file) => file.path);
}

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
