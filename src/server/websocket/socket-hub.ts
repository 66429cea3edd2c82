import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { OSLER_ERR_WEBSOCKET_SOCKETS } from '../../core/errors.ts';
import type { AppDeps } from '../app.ts';
import { ChatSocket, stoppingReason } from './chat-socket.ts';
import { closeCode } from './close-code.ts';
import type { SocketLimits } from './limits.ts';

/** All sockets of a server: their number, their heartbeat, their end. */
export class SocketHub {
  readonly #deps: AppDeps;
  readonly #limits: SocketLimits;
  readonly #sockets = new Set<ChatSocket>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(deps: AppDeps, limits: SocketLimits) {
    this.#deps = deps;
    this.#limits = limits;
    // After the poll phase: a server that was busy for long first reads the pongs that came meanwhile.
    this.#heartbeat = setInterval(() => setImmediate(() => this.#beat()), limits.heartbeatMs).unref();
    deps.drain.signal.addEventListener('abort', () => this.#drain(), { once: true });
    deps.drain.timeUp.addEventListener('abort', () => this.#closeAll(), { once: true });
  }

  /** Throws where there is no place for one more. */
  checkPlace(): void {
    if (this.#sockets.size >= this.#limits.maxSockets) throw new OSLER_ERR_WEBSOCKET_SOCKETS(this.#limits.maxSockets);
  }

  /** Serves a socket that was just opened. */
  open(socket: WebSocket, request: FastifyRequest): void {
    const startedMs = performance.now();
    const chatSocket = new ChatSocket(socket, { deps: this.#deps, limits: this.#limits, request });
    this.#sockets.add(chatSocket);
    if (this.#deps.drain.isDraining) chatSocket.closeWhenIdle();
    this.#deps.metrics.websockets.inc();
    socket.once('close', (code: number) => {
      this.#sockets.delete(chatSocket);
      this.#deps.metrics.websockets.dec();
      request.log.info({ code, ms: Math.round(performance.now() - startedMs) }, 'websocket');
    });
  }

  /** Ends the heartbeat. */
  close(): void {
    clearInterval(this.#heartbeat);
  }

  /** Closes the idle sockets now, and the others when their chats are done. */
  #drain(): void {
    for (const socket of this.#sockets) socket.closeWhenIdle();
  }

  #closeAll(): void {
    for (const socket of this.#sockets) socket.close(closeCode.stopping, stoppingReason);
  }

  #beat(): void {
    for (const socket of this.#sockets) socket.beat();
  }
}
