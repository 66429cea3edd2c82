import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Certificate } from '../../core/schema/certificate.ts';
import type { RunFolder } from '../run-folder.ts';

/** Where a run's certificate is, for programs. */
export function certificateFile(folder: Pick<RunFolder, 'root'>): string {
  return path.join(folder.root, 'certificate.json');
}

/** Where it is, for people. */
export function certificatePageFile(folder: Pick<RunFolder, 'root'>): string {
  return path.join(folder.root, 'certificate.md');
}

/** A run's certificate; undefined where there is none, or it cannot be read. */
export async function readCertificate(folder: Pick<RunFolder, 'root'>): Promise<Certificate | undefined> {
  const text = await readFile(certificateFile(folder), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return Certificate.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
