import { createHash, randomBytes } from 'node:crypto';
import { sha256 } from './digests.ts';
import type { Exchange } from './exchange.ts';
import type { HubFaults } from './faults.ts';
import type { HubState } from './hub-state.ts';
import { sendBytes } from './send-bytes.ts';

interface Upload {
  readonly oid: string;
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  readonly parts: Map<number, Buffer>;
}

/** Where large files lie: what S3 and its CDN are to the Hub. It never gets a token. */
export class Storage {
  readonly #state: HubState;
  readonly #faults: HubFaults;
  readonly #uploads = new Map<string, Upload>();
  #endpoint = '';

  constructor(state: HubState, faults: HubFaults) {
    this.#state = state;
    this.#faults = faults;
  }

  set endpoint(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Files by their digest, parts and whole files by their links. */
  async handle(exchange: Exchange): Promise<void> {
    const url = new URL(exchange.request.url, this.#endpoint);
    const put = /^\/upload\/(?<id>[^/]+)(?:\/(?<part>\d+))?$/.exec(url.pathname)?.groups;
    if (exchange.request.method === 'PUT' && put !== undefined)
      return await this.#receive(exchange, put['id'] ?? '', Number(put['part'] ?? 0));
    const digest = url.pathname.slice(1);
    const content = this.#state.objects.get(digest) ?? undefined;
    if (content === undefined) return exchange.fail(404, 'EntryNotFound');
    return sendBytes(exchange, this.#faults, url.searchParams.get('path') ?? '', content, { etag: `"${digest}"` });
  }

  /** A link for a whole file, or one a part and the size of parts. */
  open(oid: string, sizeBytes: number, multipartBytes: number): { href: string; header: Record<string, string> } | { href: string } {
    const id = randomBytes(8).toString('hex');
    const isWhole = sizeBytes <= multipartBytes;
    const chunkBytes = isWhole ? sizeBytes : multipartBytes;
    this.#uploads.set(id, { oid, sizeBytes, chunkBytes, parts: new Map() });
    if (isWhole) return { href: `${this.#endpoint}/upload/${id}?X-Amz-Signature=signed` };
    const count = Math.ceil(sizeBytes / chunkBytes);
    const links = Array.from({ length: count }, (_, index) => index + 1).map((part) => [
      String(part).padStart(5, '0'),
      `${this.#endpoint}/upload/${id}/${part}?X-Amz-Signature=signed`,
    ]);
    return { href: id, header: { chunk_size: String(chunkBytes), ...Object.fromEntries(links) } };
  }

  /** Puts the parts together; false where one is missing or the whole is not what it was said to be. */
  complete(id: string, etags: readonly string[]): boolean {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.parts.size !== etags.length) return false;
    const parts = etags.map((etag, index) => {
      const part = upload.parts.get(index + 1);
      return part !== undefined && `"${sha256(part)}"` === etag ? part : undefined;
    });
    if (parts.some((part) => part === undefined)) return false;
    return this.#keep(upload, Buffer.concat(parts.filter((part) => part !== undefined)));
  }

  async #receive(exchange: Exchange, id: string, part: number): Promise<void> {
    const upload = this.#uploads.get(id);
    const length = Number(exchange.incoming.headers['content-length'] ?? Number.NaN);
    // S3 takes no body of unknown length.
    if (Number.isNaN(length)) return exchange.send(411, {}, '<Error><Code>MissingContentLength</Code></Error>');
    if (upload === undefined || exchange.request.authorization !== undefined)
      return exchange.send(403, {}, '<Error><Code>AccessDenied</Code></Error>');
    const chunks: Buffer[] = [];
    const hash = createHash('sha256');
    for await (const chunk of exchange.body()) {
      const fault = this.#faults.breakUpload;
      if (fault !== null && fault.times > 0 && exchange.request.receivedBytes > fault.afterBytes) {
        fault.times -= 1;
        return exchange.cut();
      }
      hash.update(chunk);
      if (!this.#faults.forgetsObjects) chunks.push(chunk);
    }
    if (exchange.request.receivedBytes !== length) return undefined;
    const digest = hash.digest('hex');
    if (part > 0) upload.parts.set(part, Buffer.concat(chunks));
    else if (this.#faults.forgetsObjects && digest === upload.oid) this.#state.objects.set(upload.oid, null);
    else if (!this.#keep(upload, Buffer.concat(chunks)))
      return exchange.send(400, {}, '<Error><Code>XAmzContentSHA256Mismatch</Code></Error>');
    return exchange.send(200, { etag: `"${digest}"` }, '');
  }

  #keep({ oid, sizeBytes }: Upload, content: Buffer): boolean {
    if (content.length !== sizeBytes || sha256(content) !== oid) return false;
    this.#state.objects.set(oid, content);
    return true;
  }
}
