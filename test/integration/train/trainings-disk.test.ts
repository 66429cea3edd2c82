import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { quickTrainer } from '../../support/fake-trainer.ts';
import { changedLauncher, fakeExport, fakeTrainings } from '../../support/fake-trainings.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const canMount = isMountAllowed();

function isMountAllowed(): boolean {
  const folder = `/tmp/osler-mount-${process.pid}`;
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A home whose folder of runs, or all of which, lies on a disk of so many MB. */
function smallDisk(megabytes: number, what: 'runs' | 'home' = 'runs'): { home: string; ballast: string; freeMegabytes: () => number } {
  const home = path.join(temporaryFolder(), 'home');
  const disk = what === 'runs' ? path.join(home, 'runs') : home;
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk]);
  onTestFinished(() => void execFileSync('umount', ['-l', disk]));
  return {
    home,
    ballast: path.join(disk, 'ballast'),
    freeMegabytes: () => {
      const { bavail, bsize } = statfsSync(disk);
      return (bavail * bsize) / (1 << 20);
    },
  };
}

/** Fills the disk to its last byte. */
const fill = 'head -c 200000000 /dev/zero > "$root/../ballast" 2>/dev/null';

describe.skipIf(!canMount)('a disk that is full (skipped where nothing may be mounted)', () => {
  it('is refused before a trainer is started', async () => {
    const { home } = smallDisk(32);
    const fake = await fakeTrainings({ home, script: quickTrainer });
    const id = fake.create();
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.code).toBe('OSLER_ERR_DISK_FULL');
    expect(error.message).toContain('Free some space, or set OSLER_HOME to a larger disk');
    expect([fake.trainings.get(id).state, await fake.startsOf(id)]).toEqual(['failed', 0]);
    expect(fake.runs.slots.holders('local')).toEqual([]);
  });

  it.each([
    [
      'says so with its last breath',
      `${fill}; rm "$root/../ballast"; failed diskFull "the disk is full" "free some space"; exit 1`,
      'the disk is full. Next: free some space.',
    ],
    ['cannot even say so', `${fill}; kill -9 $$`, 'Free some space, or set OSLER_HOME to a larger disk'],
  ])('fails a run while it trains, whose trainer %s, and the run goes on once there is room', async (_case, script, text) => {
    const { home, ballast } = smallDisk(80);
    const fake = await fakeTrainings({ home, script: `stage training; progress 1; ${script}` });
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow(text);
    expect(fake.trainings.get(id).state).toBe('failed');
    rmSync(ballast, { force: true });
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('while merging, exporting, certifying or fetching fails the run there, keeps what came before, and registers nothing', async () => {
    for (const stage of ['merge', 'fetch', 'export', 'certify'] as const) {
      const { home, ballast, freeMegabytes } = smallDisk(80);
      let isFull = true;
      const overflow = async (at: typeof stage): Promise<void> => {
        if (isFull && at === stage) await writeFile(ballast, Buffer.alloc(200 << 20));
      };
      const fake = await fakeTrainings({
        home,
        script:
          stage === 'merge'
            ? `stage training; progress 4; stage merging; ${fill}; rm "$root/../ballast"; failed diskFull "the disk is full" "free some space"; exit 1`
            : quickTrainer,
        wrap: (launcher) => changedLauncher(launcher, { fetch: async () => await overflow('fetch') }),
        deps: {
          exportRun: async (_run, folder) => {
            await overflow('export');
            return await fakeExport(folder);
          },
          certifyRun: async () => {
            await overflow('certify');
            return { passed: true };
          },
        },
      });
      const id = fake.create();
      const error = await errorOf(async () => await fake.trainings.execute(id));
      expect(error.code, stage).toBe(stage === 'merge' ? 'OSLER_ERR_RUN_FAILED' : 'OSLER_ERR_DISK_FULL');
      expect(fake.trainings.get(id).state, stage).toBe('failed');
      expect(fake.models.list(), stage).toEqual([]);
      rmSync(ballast, { force: true });
      expect(freeMegabytes()).toBeGreaterThan(70);
      isFull = false;
      fake.play(quickTrainer);
      await fake.trainings.resume(id);
      await fake.trainings.execute(id);
      expect(fake.trainings.get(id).state, stage).toBe('done');
      // Only what was lost is done again.
      expect(await fake.startsOf(id), stage).toBe(stage === 'merge' ? 2 : 1);
    }
  });

  it('takes the store too, and leaves a run that is taken up again where it was', async () => {
    const { home, ballast } = smallDisk(80, 'home');
    let isFull = true;
    const fake = await fakeTrainings({
      home,
      script: quickTrainer,
      deps: {
        exportRun: async (_run, folder) => {
          if (isFull) await writeFile(ballast, Buffer.alloc(200 << 20));
          return await fakeExport(folder);
        },
      },
    });
    const id = fake.create();
    expect((await errorOf(async () => await fake.trainings.execute(id))).code).toBe('OSLER_ERR_DISK_FULL');
    rmSync(ballast);
    isFull = false;
    // Whether the state could still be written is up to SQLite's pages; either way the run goes on.
    if (fake.trainings.get(id).state === 'failed') await fake.trainings.resume(id);
    await fake.trainings.recover((_id, failure) => expect.fail(messageOf(failure)));
    await fake.untilState(id, 'done');
    expect(await fake.startsOf(id)).toBe(1);
  });
});
