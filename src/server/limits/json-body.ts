import type { FastifyInstance } from 'fastify';
import { OSLER_ERR_REQUEST_INVALID } from '../../core/errors.ts';
import { isJsonTooDeep, maxJsonDepth } from '../../core/json-depth.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Takes JSON as the only kind of body, and only where it is whole: bytes that are no UTF-8, and half characters,
 * would otherwise be replaced without a word, in a text on medicine.
 */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  // Fastify's own parser refuses `__proto__` and the like.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch {
      done(new OSLER_ERR_REQUEST_INVALID('The body is not valid UTF-8. Send it as UTF-8.'));
      return;
    }
    // First of all: what looks for half characters goes down by calling itself.
    if (isJsonTooDeep(text)) done(new OSLER_ERR_REQUEST_INVALID(`The body is nested deeper than ${maxJsonDepth} levels. Send it flatter.`));
    else if (hasHalfCharacter(text))
      done(new OSLER_ERR_REQUEST_INVALID('The body holds half a character (a lone \\ud8…). Send whole ones.'));
    else void parseJson(request, text, done);
  });
}

/** Whether a string in JSON has one half of a surrogate pair, written as an escape. */
export function hasHalfCharacter(json: string): boolean {
  if (!/\\ud[89a-f]/i.test(json)) return false;
  let isFound = false;
  try {
    JSON.parse(json, (key, value: unknown) => {
      isFound ||= !key.isWellFormed() || (typeof value === 'string' && !value.isWellFormed());
      return value;
    });
  } catch {
    // Not JSON at all: the parser says so.
  }
  return isFound;
}
