import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { selectFiles } from '../../../../src/core/backup/select-files.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** Enough that looking at them takes several milliseconds. */
const count = 40;
/** One of these moments falls into the listing, however fast the disk is. */
const momentsMs = [0, 1, 2, 3, 5, 8];

describe('selectFiles', () => {
  it.each([
    ['files of one folder', (index: number) => `runs/going/${index}.json`],
    ['folders', (index: number) => `runs/going/${index}/recipe.json`],
  ])('leaves out %s that are deleted while it looks', async (_what, nameOf) => {
    for (const momentMs of momentsMs) {
      const home = temporaryFolder();
      for (const name of ['runs/staying/recipe.json', ...Array.from({ length: count }, (_, index) => nameOf(index))]) {
        mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
        writeFileSync(path.join(home, name), 'contents');
      }
      const selecting = selectFiles(home, false);
      const deleting = sleep(momentMs).then(() => rmSync(path.join(home, 'runs/going'), { recursive: true }));
      const [selected] = await Promise.all([selecting, deleting]);
      expect(selected).toContainEqual({ path: 'runs/staying/recipe.json', bytes: 8 });
    }
  });
});
