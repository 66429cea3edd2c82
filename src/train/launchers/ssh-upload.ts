import { createReadStream } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { OSLER_ERR_LAUNCHER_ARTIFACT } from '../../core/errors.ts';
import type { ContentFolder } from './content-folder.ts';
import type { SshHost } from './ssh-host.ts';

const UploadState = z.object({ isThere: z.boolean(), sizes: z.record(z.string(), z.int()) });
const Published = z.object({ bad: z.array(z.string()) });

/** A file of ours, or bytes, and where they go there. */
export interface Upload {
  readonly to: string;
  readonly from: string | Buffer;
  readonly bytes: number;
  /** Bytes that are there already; the file there is cut to them. */
  readonly offset: number;
}

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes have left, piece by piece. */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

/** Writes files on the host, one after the other in one request. */
export async function uploadFiles(host: SshHost, uploads: readonly Upload[], options: UploadOptions = {}): Promise<void> {
  const files = uploads.map(({ to, offset, bytes }) => ({ path: to, offset, bytes: bytes - offset }));
  const payload = bytesOf(uploads, options.onSent);
  await host.ask({ request: { op: 'write', files }, reply: z.object({}), payload, timeoutMs: 0, signal: options.signal });
}

export interface FolderOptions extends UploadOptions {
  /** Its place there. */
  readonly folder: string;
  /** Place of the unfinished folder, which nobody else may use meanwhile. */
  readonly part: string;
  /** Told the bytes to send before they are sent; throws to refuse. */
  readonly onMissing: (bytes: number) => void;
}

/**
 * Brings a folder to the host under the digest of its content, once: a second run finds it there, and a transfer that
 * broke off is gone on with. It is checked there by sha256 before it gets its name.
 *
 * @throws OSLER_ERR_LAUNCHER_ARTIFACT, and what the host throws
 */
export async function uploadFolder(host: SshHost, content: ContentFolder, options: FolderOptions): Promise<void> {
  const { folder, part, signal } = options;
  for (let tries = 0; tries < 2; tries += 1) {
    const request = { op: 'uploadState', folder, part, files: content.files.map((file) => file.path) };
    const state = await host.ask({ request, reply: UploadState, signal });
    if (state.isThere) return;
    const rest = content.files.flatMap((file): Upload[] => {
      const there = state.sizes[file.path] ?? 0;
      const offset = there > file.bytes ? 0 : there;
      const isDone = there === file.bytes && there > 0;
      return isDone ? [] : [{ from: path.join(content.root, file.path), to: path.posix.join(part, file.path), bytes: file.bytes, offset }];
    });
    options.onMissing(rest.reduce((sum, upload) => sum + upload.bytes - upload.offset, 0));
    if (rest.length > 0) await uploadFiles(host, rest, options);
    const publish = { op: 'publish', folder, part, files: content.files };
    const { bad } = await host.ask({ request: publish, reply: Published, timeoutMs: 0, signal });
    if (bad.length === 0) return;
  }
  throw new OSLER_ERR_LAUNCHER_ARTIFACT(
    content.root,
    host.name,
    'what arrived there is not what was sent, twice. Look at the disk of the host.',
  );
}

async function* bytesOf(uploads: readonly Upload[], onSent?: (bytes: number) => void): AsyncGenerator<Buffer, void> {
  for (const { from, offset, bytes } of uploads) {
    if (bytes <= offset) continue;
    const parts: AsyncIterable<Buffer> | Buffer[] =
      typeof from === 'string'
        ? (createReadStream(from, { start: offset, end: bytes - 1, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
        : [from.subarray(offset)];
    for await (const part of parts) {
      yield part;
      onSent?.(part.length);
    }
  }
}
