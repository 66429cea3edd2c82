/** Bounds of the websocket. `docs/websocket.md` gives them to clients. */
export interface SocketLimits {
  /** Sockets of one server; the next is refused before its upgrade. */
  readonly maxSockets: number;
  /** Chats that run at once on one socket. */
  readonly maxChats: number;
  /** A longer frame closes the socket with 1009. */
  readonly maxFrameBytes: number;
  /** Frames in a row that cannot be used, before the socket is closed with 4400. */
  readonly maxUnusableFrames: number;
  /** With so many unsent bytes on a socket its chats send nothing more. */
  readonly highMarkBytes: number;
  /** They go on once so few are left. */
  readonly lowMarkBytes: number;
  /** Text that one chat gathers meanwhile, in characters; beyond it nothing is taken from the engine. */
  readonly maxPendingChars: number;
  /** A client that does not read for so long is closed with 4408. */
  readonly stallMs: number;
  /** Between two pings; a client that did not answer the last one is cut off. */
  readonly heartbeatMs: number;
  /** For the client's part of the closing handshake. */
  readonly closeMs: number;
}

export const defaultSocketLimits: SocketLimits = {
  maxSockets: 1024,
  maxChats: 16,
  maxFrameBytes: 1 << 20,
  maxUnusableFrames: 32,
  highMarkBytes: 256 << 10,
  lowMarkBytes: 64 << 10,
  maxPendingChars: 64 << 10,
  stallMs: 30_000,
  heartbeatMs: 20_000,
  closeMs: 3000,
};
