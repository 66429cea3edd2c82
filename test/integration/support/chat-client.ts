import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { ServerFrame } from '../../../src/server/websocket/frames.ts';
import { chatBody } from './service.ts';

export type Frame<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;

const waitMs = 20_000;

export interface ChatClientOptions extends ClientOptions {
  readonly protocols?: readonly string[];
}

/** A client of `/ws/chat` over a real connection. Every frame that comes is checked against the schemas. */
export class ChatClient {
  readonly socket: WebSocket;
  readonly frames: ServerFrame[] = [];
  /** Code and reason, once the socket is closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Pings of the server that came so far. */
  pings = 0;
  #wake = Promise.withResolvers<boolean>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = once(socket, 'close').then(([code, reason]: unknown[]) => ({ code: Number(code), reason: String(reason) }));
    socket.on('message', (data: Buffer) => {
      this.frames.push(ServerFrame.parse(JSON.parse(data.toString())));
      this.#wakeUp();
    });
    socket.on('ping', () => (this.pings += 1));
    socket.on('close', () => this.#wakeUp());
    // A cut connection shows as its close code.
    socket.on('error', () => undefined);
  }

  /** Connects and waits for `hello`. Leaves with the running test, so that no chat of its holds the service up. */
  static async open(origin: string, { protocols = ['osler.chat.v1'], ...options }: ChatClientOptions = {}): Promise<ChatClient> {
    const client = new ChatClient(new WebSocket(socketUrl(origin), [...protocols], options));
    onTestFinished(() => client.leave());
    await client.next('hello');
    return client;
  }

  /** Sends a frame, or text as it is. */
  send(frame: Record<string, unknown> | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Starts a chat with one question. */
  chat(id: string, changes: Record<string, unknown> = {}): void {
    this.send({ type: 'chat', id, request: chatBody(changes) });
  }

  /** The first frame of a type, and of a chat where one is named; waits for it. */
  async next<T extends ServerFrame['type']>(type: T, id?: string | null): Promise<Frame<T>> {
    for (;;) {
      const isWanted = (frame: ServerFrame): frame is Frame<T> =>
        frame.type === type && (id === undefined || ('id' in frame && frame.id === id));
      const frame = this.frames.find(isWanted);
      if (frame !== undefined) return frame;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before a frame "${type}" came`);
      const isLate = await Promise.race([this.#wake.promise, sleep(waitMs, true, { ref: false })]);
      if (isLate) throw new Error(`no frame "${type}" came; the last ones: ${JSON.stringify(this.frames.slice(-5))}`);
    }
  }

  /** All frames of a chat. */
  of(id: string): ServerFrame[] {
    return this.frames.filter((frame) => 'id' in frame && frame.id === id);
  }

  /** Text of a chat in one channel. */
  text(id: string, channel: 'content' | 'reasoning_content'): string {
    return this.of(id)
      .map((frame) => (frame.type === 'delta' ? (frame[channel] ?? '') : ''))
      .join('');
  }

  /** Leaves as a machine does that loses power. */
  leave(): void {
    this.socket.terminate();
  }

  #wakeUp(): void {
    this.#wake.resolve(false);
    this.#wake = Promise.withResolvers();
  }
}

/** Status and body of an upgrade that is refused. */
export async function refusedUpgrade(
  origin: string,
  { protocols = ['osler.chat.v1'], ...options }: ChatClientOptions = {},
  path = '/ws/chat',
): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; body: unknown }> {
  const socket = new WebSocket(socketUrl(origin, path), [...protocols], options);
  socket.on('error', () => undefined);
  // The response comes as the second argument of this event, the request as the first.
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  const text = (await Array.fromAsync(response)).join('');
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) };
}

function socketUrl(origin: string, path = '/ws/chat'): string {
  return `${origin.replace(/^http/, 'ws')}${path}`;
}
