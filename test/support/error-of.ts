import { isOslerError, type OslerError } from '../../src/core/errors.ts';

/** The catalogue's error that some work throws; anything else fails the test. */
export async function errorOf(work: () => unknown): Promise<OslerError> {
  try {
    await work();
  } catch (error) {
    if (isOslerError(error)) return error;
    throw new Error(`it threw, but nothing of the catalogue: ${String(error)}`, { cause: error });
  }
  throw new Error('it should have thrown');
}
