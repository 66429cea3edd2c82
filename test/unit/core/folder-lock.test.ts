import { describe, expect, it } from 'vitest';
import { OSLER_ERR_INTERRUPTED } from '../../../src/core/errors.ts';
import { lockFolder, tryLockFolder } from '../../../src/core/folder-lock.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('tryLockFolder', () => {
  it('gives the lock to one at a time, and again once it is free', () => {
    const folder = temporaryFolder();
    const unlock = tryLockFolder(folder);
    expect(unlock).toBeDefined();
    expect(tryLockFolder(folder)).toBeUndefined();
    expect(tryLockFolder(temporaryFolder())).toBeDefined();
    unlock?.();
    expect(tryLockFolder(folder)).toBeDefined();
  });

  it('says what is wrong with a folder that is not there', () => {
    expect(() => tryLockFolder('/nonexistent/folder')).toThrow(/unable to open/);
  });
});

describe('lockFolder', () => {
  it('waits until the other is done', async () => {
    const folder = temporaryFolder();
    const first = await lockFolder(folder, () => undefined);
    let isFirstDone = false;
    const second = lockFolder(folder, () => undefined).then((unlock) => {
      expect(isFirstDone).toBe(true);
      unlock();
    });
    isFirstDone = true;
    first();
    await second;
  });

  it('gives up when the caller does', async () => {
    const folder = temporaryFolder();
    const unlock = await lockFolder(folder, () => undefined);
    let asked = 0;
    const error = await errorOf(
      async () =>
        await lockFolder(folder, () => {
          asked += 1;
          if (asked > 1) throw new OSLER_ERR_INTERRUPTED('Stopped.');
        }),
    );
    expect(error.code).toBe('OSLER_ERR_INTERRUPTED');
    unlock();
  });
});
