import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { RepositoryFile } from './repository-listing.ts';

/**
 * Reads a file back from disk and compares it with what the Hub's listing names.
 *
 * @returns its sha256 (also of files that the Hub names by git's sha1 over `blob <size>\0` and the bytes), or undefined where it differs
 * @throws the signal's AbortError
 */
export async function verifiedSha256(file: string, expected: RepositoryFile, signal?: AbortSignal): Promise<string | undefined> {
  const plain = createHash('sha256');
  const blob = expected.checksum.kind === 'git-sha1' ? createHash('sha1').update(`blob ${expected.bytes}\0`) : undefined;
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal })) {
    // A stream without an encoding yields Buffers; the type says any.
    const data: Buffer = chunk;
    bytes += data.length;
    plain.update(data);
    blob?.update(data);
  }
  const sha256 = plain.digest('hex');
  const actual = blob === undefined ? sha256 : blob.digest('hex');
  return bytes === expected.bytes && actual === expected.checksum.hex ? sha256 : undefined;
}
