import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { OSLER_ERR_REQUEST_INVALID } from '../../core/errors.ts';
import { errorBodyOf } from '../error-reply.ts';

/** Replies to what never became a request, in the shape of every other error, and closes the connection. */
export function replyToClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const [statusCode, message] = reasonOf(error.code);
    const { body } = errorBodyOf(Object.assign(new OSLER_ERR_REQUEST_INVALID(message), { statusCode }), '');
    const text = JSON.stringify(body);
    const headers = `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close`;
    socket.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}\r\n${headers}\r\n\r\n${text}`);
  }
  socket.destroySoon();
}

function reasonOf(code: string | undefined): [number, string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'The request did not arrive in time. Send its headers and body without pauses.'];
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'The headers are larger than this server takes. Send fewer or shorter ones.'];
  return [400, 'The request is not HTTP.'];
}
