import { open, rm, stat } from 'node:fs/promises';
import { OSLER_ERR_HUB_CHECKSUM } from '../errors.ts';
import { describeNetworkError, openHubUrl } from './hub-request.ts';
import { TransientFailure, type Watchdog, withRetries } from './hub-retry.ts';
import { type HubSession, pageOf } from './hub-session.ts';
import type { RepositoryFile } from './repository-listing.ts';

/** New bytes after which a failed attempt counts as a step forward. */
const progressBytes = 1 << 20;

/**
 * Brings a part file to its full length, going on from the bytes it has (HTTP Range), whoever wrote them.
 *
 * The bytes are not checked here, only counted.
 *
 * @param onBytes how many bytes of the file the part holds; can fall where the server ignores the range
 * @throws OSLER_ERR_HUB_FAILED, OSLER_ERR_HUB_CHECKSUM (longer than the listing says), OSLER_ERR_INTERRUPTED
 */
export async function completePart(
  session: HubSession,
  commit: string,
  file: RepositoryFile,
  part: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const url = `${pageOf(session)}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
  let bytesBefore = await sizeOf(part);
  let bytesNow = bytesBefore;
  const attempt = async (watchdog: Watchdog): Promise<void> => {
    bytesBefore = await sizeOf(part);
    bytesNow = bytesBefore;
    if (bytesBefore === file.bytes && file.bytes > 0) return;
    const { body, start } =
      file.bytes === 0 ? { body: null, start: 0 } : await openBody(session, url, file, bytesBefore, watchdog.signal, part);
    const handle = await open(part, start === 0 ? 'w' : 'a');
    try {
      bytesNow = start;
      onBytes(bytesNow);
      for (;;) {
        const chunk = await readChunk(body);
        if (chunk === undefined) break;
        watchdog.feed();
        if (bytesNow + chunk.length > file.bytes) {
          await rm(part, { force: true });
          throw new OSLER_ERR_HUB_CHECKSUM(file.path, session.label);
        }
        await handle.writeFile(chunk);
        bytesNow += chunk.length;
        onBytes(bytesNow);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (bytesNow < file.bytes)
      throw new TransientFailure(`the connection ended after ${bytesNow} of ${file.bytes} bytes of "${file.path}"`);
  };
  await withRetries(session, attempt, () => bytesNow - bytesBefore >= progressBytes);
}

/** Bytes of a file, 0 where there is none. */
export async function sizeOf(file: string): Promise<number> {
  const stats = await stat(file).catch(() => undefined);
  return stats?.isFile() === true ? stats.size : 0;
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

async function openBody(
  session: HubSession,
  url: string,
  file: RepositoryFile,
  offset: number,
  signal: AbortSignal,
  part: string,
): Promise<{ body: BodyReader; start: number }> {
  // Compressed on the way, ranges and lengths would mean other bytes.
  const headers = new Headers({ 'accept-encoding': 'identity' });
  if (offset > 0) headers.set('range', `bytes=${offset}-`);
  const response = await openHubUrl(session, url, headers, signal);
  if (response.body === null) throw new TransientFailure(`the answer for "${file.path}" is empty`);
  const body = response.body.getReader();
  if (response.status === 200) return { body, start: 0 };
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  // A part that is too long, or a server that counts otherwise (416, another range): the part is of no use.
  if (response.status === 206 && Number(range?.[1]) === offset && Number(range?.[2]) === file.bytes) return { body, start: offset };
  return await discard(part, `the server sent another range of "${file.path}" than was asked for`);
}

async function readChunk(body: BodyReader | null): Promise<Uint8Array | undefined> {
  try {
    return (await body?.read())?.value;
  } catch (error) {
    throw new TransientFailure(describeNetworkError(error));
  }
}

async function discard(part: string, reason: string): Promise<never> {
  await rm(part, { force: true });
  throw new TransientFailure(reason);
}
