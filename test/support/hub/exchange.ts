import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What one request asked for and got. */
export interface HubRequest {
  readonly host: 'hub' | 'cdn';
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  status: number;
  sentBytes: number;
  /** Of its body, as far as it was read. */
  receivedBytes: number;
}

/** One request with the ways to answer it. */
export class Exchange {
  readonly request: HubRequest;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;

  constructor(host: HubRequest['host'], incoming: IncomingMessage, response: ServerResponse) {
    const { range, authorization } = incoming.headers;
    this.incoming = incoming;
    this.response = response;
    this.request = {
      host,
      method: incoming.method ?? 'GET',
      url: incoming.url ?? '/',
      range,
      authorization,
      status: 0,
      sentBytes: 0,
      receivedBytes: 0,
    };
  }

  /** Reads the body piece by piece; ends early where the client goes away. */
  async *body(): AsyncGenerator<Buffer, void> {
    for await (const chunk of this.incoming) {
      // A request without an encoding yields Buffers; the type says any.
      const bytes: Buffer = chunk;
      this.request.receivedBytes += bytes.length;
      yield bytes;
    }
  }

  async text(): Promise<string> {
    return Buffer.concat(await Array.fromAsync(this.body())).toString('utf8');
  }

  send(status: number, headers: Record<string, string>, body: string | Buffer): void {
    this.request.status = status;
    this.request.sentBytes = this.request.method === 'HEAD' ? 0 : Buffer.byteLength(body);
    this.response.writeHead(status, { 'x-request-id': 'Root=1-test', ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
  }

  json(value: unknown, headers: Record<string, string> = {}, status = 200): void {
    this.send(status, { 'content-type': 'application/json; charset=utf-8', ...headers }, JSON.stringify(value));
  }

  /** A refusal as the Hub words it: a code for programs, a sentence for people. */
  fail(status: number, code: string | null, message = code ?? 'refused'): void {
    this.json({ error: message }, { ...(code !== null && { 'x-error-code': code }), 'x-error-message': message }, status);
  }

  /** Closes the connection without a word. */
  cut(): void {
    this.incoming.socket.destroy();
  }
}

/** A server on 127.0.0.1. A handler that fails answers 500 with what went wrong, so that the test says it. */
export async function listen(
  host: HubRequest['host'],
  handle: (exchange: Exchange) => Promise<void>,
): Promise<{ endpoint: string; close: () => Promise<void> }> {
  const server = http.createServer((incoming, response) => {
    const exchange = new Exchange(host, incoming, response);
    handle(exchange).catch((error: unknown) => {
      if (!response.headersSent && !response.destroyed) exchange.fail(500, null, `the test server failed: ${String(error)}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  return {
    // Python's client follows links to the Hub's own host, whatever the port: the CDN needs another name.
    endpoint: `http://${host === 'hub' ? '127.0.0.1' : 'localhost'}:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
