import type { IncomingMessage } from 'node:http';
import fastifyWebsocket, { type WebSocket } from '@fastify/websocket';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { OSLER_ERR_WEBSOCKET_ORIGIN, OSLER_ERR_WEBSOCKET_UPGRADE } from '../../core/errors.ts';
import type { AppDeps } from '../app.ts';
import { logFailure } from '../error-reply.ts';
import { describeRoute, ErrorReply, json } from '../openapi.ts';
import { closeCode } from './close-code.ts';
import { defaultSocketLimits, type SocketLimits } from './limits.ts';
import { isOriginAllowed } from './origin.ts';
import { SocketHub } from './socket-hub.ts';
import { chooseSubprotocol } from './subprotocol.ts';

/** Where the websocket is. */
const chatSocketPath = '/ws/chat';

/** Whether Node shall hand a request over as an upgrade; all others are answered as HTTP, whatever they offer. */
export function isChatSocketUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket' && request.url?.split('?')[0] === chatSocketPath;
}

/** GET /ws/chat: several chats on one websocket. Frames: `docs/websocket.md`. */
export function chatSocketRoute(deps: AppDeps): FastifyPluginAsync {
  const limits: SocketLimits = { ...defaultSocketLimits, ...deps.socketLimits };
  return async (app) => {
    const hub = new SocketHub(deps, limits);
    // Not written in place: the types of `ws` do not know closeTimeout yet.
    const options = {
      maxPayload: limits.maxFrameBytes,
      closeTimeout: limits.closeMs,
      handleProtocols: chooseSubprotocol,
      clientTracking: false,
    };
    await app.register(fastifyWebsocket, {
      options,
      errorHandler: (error, socket, request) => handleSocketError(error, socket, request),
      // In place of the plugin's own, which cuts running chats off: the hub ends them when the drain says so.
      preClose: (done) => done(),
    });
    app.addHook('onClose', async () => hub.close());
    app.route({
      method: 'GET',
      url: chatSocketPath,
      schema: describeRoute(
        {},
        {
          tag: 'openai',
          summary: 'Opens a websocket that carries several chats (status 101)',
          description: 'For a websocket client; its frames are described in docs/websocket.md.',
          response: { 426: json(ErrorReply, 'the request is no upgrade') },
        },
      ),
      onRequest: async (request) => {
        const { origin } = request.headers;
        if (!isOriginAllowed(origin, request.host, deps.allowedOrigins)) throw new OSLER_ERR_WEBSOCKET_ORIGIN(origin);
        hub.checkPlace();
      },
      handler: async (_request, reply) => {
        void reply.header('upgrade', 'websocket');
        throw new OSLER_ERR_WEBSOCKET_UPGRADE();
      },
      wsHandler: (socket, request) => hub.open(socket, request),
    });
  };
}

/** Broken frames and connections are the client's matter, and `ws` has closed the socket by then; all else is a fault of ours. */
function handleSocketError(error: Error, socket: WebSocket, request: FastifyRequest): void {
  if (socket.readyState !== socket.OPEN) {
    request.log.info({ code: 'code' in error ? error.code : error.name }, 'websocket error');
    return;
  }
  logFailure(request, error, 'websocket failed');
  socket.close(closeCode.serverFault, 'the server failed');
}
