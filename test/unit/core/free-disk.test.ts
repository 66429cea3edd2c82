import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { checkFreeDisk, diskFullOf } from '../../../src/core/free-disk.ts';

describe('checkFreeDisk', () => {
  it('lets pass what fits and refuses what does not', async () => {
    await expect(checkFreeDisk(os.tmpdir(), 1)).resolves.toBeUndefined();
    await expect(checkFreeDisk(os.tmpdir(), 2 ** 60)).rejects.toMatchObject({
      code: 'OSLER_ERR_DISK_FULL',
      message: expect.stringContaining(os.tmpdir()),
    });
  });
});

describe('diskFullOf', () => {
  it.each(['ENOSPC', 'EDQUOT'])('turns %s into the error of the catalogue', async (code) => {
    expect(await diskFullOf(Object.assign(new Error('write'), { code }), os.tmpdir(), 5e9)).toMatchObject({
      code: 'OSLER_ERR_DISK_FULL',
      message: expect.stringContaining('5.00 GB'),
    });
  });

  it('leaves other errors as they are', async () => {
    const error = Object.assign(new Error('open'), { code: 'EACCES' });
    expect(await diskFullOf(error, os.tmpdir(), 1)).toBe(error);
  });
});
