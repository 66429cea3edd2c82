import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { OSLER_ERR_DRAINING, OSLER_ERR_NOT_FOUND, OSLER_ERR_WEBSOCKET_CHATS, OSLER_ERR_WEBSOCKET_FRAME } from '../../core/errors.ts';
import type { AppDeps } from '../app.ts';
import { drainRetrySeconds } from '../retry-after.ts';
import { admitChat } from './admit-chat.ts';
import { closeCode } from './close-code.ts';
import { errorFrame } from './error-frame.ts';
import type { ClientFrame } from './frames.ts';
import { helloFrame } from './hello-frame.ts';
import type { SocketLimits } from './limits.ts';
import { Outbox } from './outbox.ts';
import { readFrame } from './read-frame.ts';
import { SocketChat } from './socket-chat.ts';

/** What a socket is opened with. */
export interface ChatSocketOptions {
  readonly deps: AppDeps;
  readonly limits: SocketLimits;
  /** The one that was upgraded. */
  readonly request: FastifyRequest;
}

/** What a client is told with the close code. */
export const stoppingReason = 'the server is stopping';

/** One client's socket: its chats, its frames, its end. */
export class ChatSocket {
  readonly #socket: WebSocket;
  readonly #options: ChatSocketOptions;
  readonly #outbox: Outbox;
  readonly #chats = new Map<string, SocketChat>();
  #unusableFrames = 0;
  #isAlive = true;
  #isClosingWhenIdle = false;

  constructor(socket: WebSocket, options: ChatSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#outbox = new Outbox(socket, options.limits, () => this.close(closeCode.doesNotRead, 'the client does not read'));
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    for (const sign of ['message', 'ping', 'pong']) socket.on(sign, () => (this.#isAlive = true));
    socket.once('close', () => this.#abandonChats());
    this.#outbox.reply(helloFrame(options.deps, options.limits));
  }

  /** Cuts off a client that has not answered the last ping; pings the others. */
  beat(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#outbox.isBlocked) {
      // It cannot see a ping before it has read the rest; the outbox limits its time for that.
      this.#isAlive = true;
    } else if (this.#isAlive) {
      this.#isAlive = false;
      this.#socket.ping();
    } else {
      this.#socket.terminate();
    }
  }

  /** Closes once the running chats are done; new ones are not taken. */
  closeWhenIdle(): void {
    this.#isClosingWhenIdle = true;
    this.#closeIfIdle();
  }

  /** Closes the socket and stops its work. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // Else the client's part of the handshake would never be read.
    if (this.#socket.isPaused) this.#socket.resume();
    this.#abandonChats();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    // Frames that were under way when the server closed the socket are void.
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const reading = readFrame(data.toString(), isBinary);
    if ('frame' in reading) {
      this.#unusableFrames = 0;
      try {
        this.#handle(reading.frame);
      } catch (error) {
        this.#refuse(reading.frame.type === 'chat' ? reading.frame.id : null, error);
      }
      return;
    }
    this.#refuse(reading.id, reading.error, reading.param);
    this.#unusableFrames += 1;
    if (this.#unusableFrames >= this.#options.limits.maxUnusableFrames) this.close(closeCode.unusableFrames, 'too many unusable frames');
  }

  #handle(frame: ClientFrame): void {
    switch (frame.type) {
      case 'chat':
        this.#start(frame);
        break;
      case 'cancel':
      case 'answer-now': {
        const chat = this.#chats.get(frame.id);
        if (chat === undefined) this.#refuse(null, new OSLER_ERR_NOT_FOUND('running chat', frame.id), 'id');
        else if (frame.type === 'cancel') chat.cancel();
        else chat.answerNow();
        break;
      }
      case 'ping':
        this.#outbox.reply({ type: 'pong', ...(frame.at !== undefined && { at: frame.at }) });
        break;
    }
  }

  #start(frame: Extract<ClientFrame, { type: 'chat' }>): void {
    const { deps, limits, request } = this.#options;
    const { id } = frame;
    if (this.#chats.has(id)) throw new OSLER_ERR_WEBSOCKET_FRAME(`a chat "${id}" runs on this socket already`);
    if (this.#isClosingWhenIdle) throw new OSLER_ERR_DRAINING(drainRetrySeconds);
    if (this.#chats.size >= limits.maxChats) throw new OSLER_ERR_WEBSOCKET_CHATS(limits.maxChats);
    const chat = new SocketChat(
      { deps, request, outbox: this.#outbox, maxPendingChars: limits.maxPendingChars, admit: () => admitChat(deps, request) },
      frame,
    );
    this.#chats.set(id, chat);
    void chat.finished.then(() => {
      this.#chats.delete(id);
      this.#closeIfIdle();
    });
  }

  /** Tells the client what is wrong. An error with an id ends that chat, so a running one is not named. */
  #refuse(chatId: string | null, error: unknown, param?: string | null): void {
    const { log, id: requestId } = this.#options.request;
    const id = chatId !== null && this.#chats.has(chatId) ? null : chatId;
    this.#outbox.reply(errorFrame(log, { id, error, requestId, ...(param !== undefined && { param }) }));
  }

  #closeIfIdle(): void {
    if (this.#isClosingWhenIdle && this.#chats.size === 0) this.close(closeCode.stopping, stoppingReason);
  }

  #abandonChats(): void {
    for (const chat of this.#chats.values()) chat.abandon();
  }
}
