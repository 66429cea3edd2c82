import type { AppDeps } from '../app.ts';
import { researchNotice } from '../openapi.ts';
import type { ServerFrame } from './frames.ts';
import type { SocketLimits } from './limits.ts';
import { chatSubprotocol } from './subprotocol.ts';

/** What a client is told before anything else. */
export function helloFrame(deps: Pick<AppDeps, 'models'>, limits: SocketLimits): Extract<ServerFrame, { type: 'hello' }> {
  return {
    type: 'hello',
    protocol: chatSubprotocol,
    models: deps.models.list().map((model) => model.name),
    limits: {
      max_chats: limits.maxChats,
      max_frame_bytes: limits.maxFrameBytes,
      heartbeat_s: limits.heartbeatMs / 1000,
      read_timeout_s: limits.stallMs / 1000,
    },
    notice: researchNotice,
  };
}
