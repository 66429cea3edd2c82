import { open, rename, rm } from 'node:fs/promises';

/**
 * A file that a program writes, whole or not at all: under a temporary name beside it, to the disk, then renamed.
 *
 * @param produce writes the file whose name it gets, and throws where that file must not be kept
 */
export async function produceFile(target: string, produce: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  try {
    await produce(temporary);
    const handle = await open(temporary, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}
