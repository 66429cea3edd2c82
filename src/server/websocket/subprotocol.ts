/** The protocol of `docs/websocket.md`, as the client names it in `Sec-WebSocket-Protocol`. */
export const chatSubprotocol = 'osler.chat.v1';
const keyPrefix = 'osler.key.';

/** Protocols that the client offers → the one that is spoken. A key is never sent back. */
export function chooseSubprotocol(offered: ReadonlySet<string>): string | false {
  return offered.has(chatSubprotocol) ? chatSubprotocol : false;
}

/**
 * The API key in a `Sec-WebSocket-Protocol` header, `osler.key.` and the key as base64url: a browser can set no other header.
 * Null where there is none, or it is not base64url of UTF-8.
 */
export function keyOfSubprotocol(header: string | undefined): string | null {
  const words = (header ?? '').split(',').map((word) => word.trim());
  const encoded = words.find((word) => word.startsWith(keyPrefix))?.slice(keyPrefix.length) ?? '';
  if (!/^[\w-]+$/.test(encoded)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(encoded, 'base64url'));
  } catch {
    return null;
  }
}
