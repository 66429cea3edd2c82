import { describe, expect, it } from 'vitest';
import * as catalogue from '../../../src/core/errors.ts';
import { exitCodeOf, isOslerError, messageOf } from '../../../src/core/errors.ts';

interface Entry {
  name: string;
  create: (...values: string[]) => Error & { code: string; statusCode: number };
  /** Message with its placeholders. */
  message: string;
}

const entries: Entry[] = Object.entries(catalogue)
  .filter(([name]) => name.startsWith('OSLER_ERR_'))
  .map(([name, value]) => {
    // Every export of that prefix is a class of @fastify/error; without values its message keeps the placeholders.
    const Constructor = value as unknown as new (...values: string[]) => Error & { code: string; statusCode: number };
    return { name, create: (...values) => new Constructor(...values), message: new Constructor().message };
  });
/** Codes whose whole message is written where they are thrown. */
const isPassThrough = (message: string): boolean => message === '%s';

describe('the catalogue of errors', () => {
  it('has entries, so that the tests below test something', () => expect(entries.length).toBeGreaterThan(30));

  it.each(entries)('$name has its own name as its code and a status of a failure', ({ name, create }) => {
    const error = create('a', 'b', 'c');
    expect(error.code).toBe(name);
    expect(error.statusCode).toBeGreaterThanOrEqual(400);
    expect(error.statusCode).toBeLessThan(600);
    expect(isOslerError(error)).toBe(true);
  });

  it.each(entries.filter(({ message }) => !isPassThrough(message)))('$name speaks in whole sentences', ({ message }) => {
    expect(message).toMatch(/^(?:[A-Z]|"%s" )/);
    // The end is a sentence's, a command to type, or words that the thrower completes.
    expect(message).toMatch(/(?:\.|%s|apt-get install [\w .-]+)$/);
    expect(message.split(/\s+/).length).toBeGreaterThanOrEqual(4);
    expect(message).not.toMatch(/\b(?:undefined|null|error occurred|oops)\b/i);
  });

  it('leaves only the free-form codes without a message of their own', () => {
    const free = entries.filter(({ message }) => isPassThrough(message)).map(({ name }) => name);
    expect(free.toSorted()).toEqual(['OSLER_ERR_INTERRUPTED', 'OSLER_ERR_REQUEST_INVALID', 'OSLER_ERR_USAGE']);
  });

  it('fills the values in, in order', () => {
    expect(new catalogue.OSLER_ERR_DISK_FULL('/home/x', '3 GB', '1 GB').message).toBe(
      '"/home/x" needs about 3 GB of free disk and 1 GB is left. Free some space, or set OSLER_HOME to a larger disk.',
    );
  });
});

describe('exitCodeOf', () => {
  it.each([
    ['OSLER_ERR_USAGE', 2],
    ['OSLER_ERR_FILE_NOT_FOUND', 2],
    ['OSLER_ERR_DATA_ROWS', 2],
    ['OSLER_ERR_RECIPE_INVALID', 2],
    ['OSLER_ERR_MODEL_CORRUPT', 2],
    ['OSLER_ERR_SERVER_PORT_IN_USE', 2],
    ['OSLER_ERR_EVALUATION_MISMATCH', 2],
    ['OSLER_ERR_PYTHON_MISSING', 3],
    ['OSLER_ERR_PYTHON_SETUP', 3],
    ['OSLER_ERR_TOOL_MISSING', 3],
    ['OSLER_ERR_DISK_FULL', 3],
    ['OSLER_ERR_HUB_FAILED', 3],
    ['OSLER_ERR_HUB_CHECKSUM', 3],
    ['OSLER_ERR_ENGINE_LOAD', 3],
    ['OSLER_ERR_RUN_FAILED', 70],
    ['OSLER_ERR_EXPORT_FAILED', 70],
    ['OSLER_ERR_INTERNAL', 70],
    ['OSLER_ERR_INTERRUPTED', 130],
  ])('%s ends the program with %i', (name, code) => {
    const entry = entries.find((candidate) => candidate.name === name);
    expect(entry).toBeDefined();
    expect(exitCodeOf(entry?.create('a', 'b', 'c'))).toBe(code);
  });

  it.each([[new Error('boom')], [Object.assign(new Error('x'), { code: 'ENOENT' })], ['text'], [undefined]])(
    'takes %j, which is not of the catalogue, for an internal failure',
    (value) => {
      expect(exitCodeOf(value)).toBe(70);
      expect(isOslerError(value)).toBe(false);
    },
  );
});

describe('messageOf', () => {
  it('gives an error’s message and any other value as text', () => {
    expect(messageOf(new TypeError('no such thing'))).toBe('no such thing');
    expect(messageOf('plain')).toBe('plain');
    expect(messageOf(undefined)).toBe('undefined');
  });
});
