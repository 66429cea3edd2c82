import { stat } from 'node:fs/promises';
import path from 'node:path';
import { sha256OfFile } from '../../core/digest.ts';

/** A file of a run's folder as export.json lists it. */
export interface ExportedFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Size and checksum of a file that is complete. */
export async function describeFile(file: string): Promise<ExportedFile> {
  return { file: path.basename(file), bytes: (await stat(file)).size, sha256: await sha256OfFile(file) };
}

/** Whether a listed file is still there, byte for byte. */
export async function isIntact(root: string, { file, bytes, sha256 }: ExportedFile): Promise<boolean> {
  const place = path.join(root, file);
  const size = await stat(place).then(
    (entry) => entry.size,
    () => -1,
  );
  return size === bytes && (await sha256OfFile(place)) === sha256;
}
