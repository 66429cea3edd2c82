import path from 'node:path';
import { readJsonFile } from '../../core/read-json-file.ts';
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
  return await readJsonFile(certificateFile(folder), Certificate);
}
