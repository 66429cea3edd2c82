import type { WebSocket } from '@fastify/websocket';
import type { ServerFrame } from './frames.ts';
import type { SocketLimits } from './limits.ts';

/** Where the outbox takes frames from when the socket has room. */
export interface FrameSource {
  take(): ServerFrame | undefined;
}

/**
 * The only writer of a socket.
 *
 * Above the high mark of unsent bytes nothing is taken from the sources until the client has read down to the low mark;
 * the sources take turns, so that the socket holds at most the high mark and one frame more.
 */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #limits: SocketLimits;
  readonly #onStall: () => void;
  readonly #sources = new Set<FrameSource>();
  #replyBytes = 0;
  #stall: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, limits: SocketLimits, onStall: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onStall = onStall;
    socket.once('close', () => this.#release());
  }

  /** The client has not read enough for more to be sent. */
  get isBlocked(): boolean {
    return this.#stall !== undefined;
  }

  /** Sends what the source holds: now, or when the client has read enough. */
  offer(source: FrameSource): void {
    this.#sources.add(source);
    this.#flush();
  }

  /** Sends at once. A client that makes the server reply and does not read is not listened to until it reads. */
  reply(frame: ServerFrame): void {
    const text = JSON.stringify(frame);
    const bytes = Buffer.byteLength(text);
    this.#replyBytes += bytes;
    this.#write(text, () => (this.#replyBytes -= bytes));
    if (this.#replyBytes > this.#limits.lowMarkBytes) {
      this.#socket.pause();
      this.#block();
    }
  }

  #flush(): void {
    for (const source of this.#sources) {
      if (this.isBlocked) return;
      this.#sources.delete(source);
      const frame = source.take();
      if (frame === undefined) continue;
      // Back behind the others: this loop comes to it again.
      this.#sources.add(source);
      this.#write(JSON.stringify(frame));
    }
  }

  #write(text: string, onSent?: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, () => {
      onSent?.();
      if (this.isBlocked && this.#socket.bufferedAmount <= this.#limits.lowMarkBytes) this.#unblock();
    });
    if (this.#socket.bufferedAmount > this.#limits.highMarkBytes) this.#block();
  }

  #block(): void {
    this.#stall ??= setTimeout(this.#onStall, this.#limits.stallMs);
  }

  #unblock(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
    if (this.#socket.isPaused) this.#socket.resume();
    this.#flush();
  }

  #release(): void {
    clearTimeout(this.#stall);
    this.#sources.clear();
  }
}
