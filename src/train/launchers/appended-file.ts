import { appendFile, stat } from 'node:fs/promises';

/** Bytes of a file, 0 where there is none. */
export async function sizeOf(file: string): Promise<number> {
  return await stat(file).then(
    (entry) => entry.size,
    () => 0,
  );
}

/**
 * Appends the whole lines of what another machine wrote next; the rest of a line waits for its end.
 * The file stays a beginning of the other one, so that its size alone says where to go on, after a kill -9 too.
 *
 * @param isMoreThere a line longer than one reading is taken in pieces
 * @returns bytes appended
 */
export async function appendLines(file: string, bytes: Buffer, isMoreThere: boolean): Promise<number> {
  const end = bytes.lastIndexOf(0x0a) + 1;
  const taken = end === 0 && isMoreThere ? bytes : bytes.subarray(0, end);
  if (taken.length > 0) await appendFile(file, taken);
  return taken.length;
}
