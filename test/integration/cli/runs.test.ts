import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { messageOf } from '../../../src/core/errors.ts';
import { openStore } from '../../../src/core/store.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { ensurePython } from '../../../src/train/python-environment.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { runOsler } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf } from '../support/kept-home.ts';

let missingPython: string | null = null;

beforeAll(async () => {
  missingPython = await ensurePython({ python: null }).then(() => null, messageOf);
}, 600_000);

/** A home with dry runs that wait for somebody to work on them. */
async function homeWith(steps: number, ...ids: string[]): Promise<string> {
  const home = temporaryFolder();
  const base = path.join(home, 'base');
  mkdirSync(base);
  writeFileSync(path.join(base, 'config.json'), '{}');
  const recipe = await resolveRecipe({ preset: 'smoke', set: { 'base.ref': base, 'trainer.maxSteps': steps } });
  const database = openStore(home);
  for (const id of ids) new RunStore(database, systemClock).add(id, recipe, null, { isDryRun: true });
  database.close();
  return home;
}

async function untilStep(home: string, id: string): Promise<void> {
  const { events } = runFolder(home, id);
  await eventually('a step is done', async () => (await readEvents(events)).some(({ type }) => type === 'progress'), 30_000);
}

describe('osler runs, beside the process that trains', () => {
  beforeEach((context) => context.skip(missingPython !== null, `no Python environment: ${missingPython}`));

  it('stops a run, which goes on in the background with --detach, and follows it to its end', async () => {
    const home = await homeWith(100, 'run-1');
    const { runs } = storeOf(home);
    const train = runOsler(['train', '--resume', 'run-1'], { home });
    await untilStep(home, 'run-1');
    const stop = await runOsler(['runs', 'stop', 'run-1'], { home });
    expect(stop.stdout, stop.stderr).toBe('Run run-1 is stopped. Go on with: npx osler train --resume run-1\n'.trim());
    expect(runs.get('run-1').state).toBe('stopped');
    const trained = await train;
    expect(trained.exitCode).toBe(130);
    expect(trained.stderr).toContain('npx osler train --resume run-1');

    const detached = await runOsler(['train', '--resume', 'run-1', '--detach'], { home });
    expect(detached.stdout, detached.stderr).toContain('Run run-1 goes on in the background.');
    const followed = await runOsler(['runs', 'show', 'run-1', '--follow'], { home });
    expect(followed.exitCode, followed.stderr).toBe(0);
    expect(followed.stderr).toMatch(/training \d+\/100 · loss \d\.\d+ · lr \d\.\de-\d · gradient norm 0\.24 · 50000 tokens\/s, ETA \d+ s/);
    expect(followed.stdout).toMatch(/^State {5}done$/m);
    expect(followed.stdout).toMatch(/^Progress {2}step 100 of 100/m);
    expect(followed.stdout).toMatch(/^Launcher {2}local$/m);
  });

  it('cancels a run for good', async () => {
    const home = await homeWith(2000, 'run-1');
    const train = runOsler(['train', '--resume', 'run-1'], { home });
    await untilStep(home, 'run-1');
    const cancelled = await runOsler(['runs', 'cancel', 'run-1', '--json'], { home });
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ id: 'run-1', state: 'cancelled', trainer: null });
    expect((await train).exitCode).toBe(130);
    for (const words of [
      ['train', '--resume', 'run-1'],
      ['runs', 'stop', 'run-1'],
    ]) {
      const refused = await runOsler(words, { home });
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('OSLER_ERR_RUN_STATE')]);
    }
  });

  it('tells the place of a run that waits, and what a trainer wrote that is no event', async () => {
    const home = await homeWith(5, 'run-1', 'run-2');
    mkdirSync(runFolder(home, 'run-2').root, { recursive: true });
    appendFileSync(runFolder(home, 'run-2').events, 'Segmentation\u001B[31m fault\n');
    const shown = await runOsler(['runs', 'show', 'run-2'], { home });
    expect(shown.stdout).toMatch(/^State {5}queued: waiting: 1 run before this one$/m);
    expect(shown.stdout).toMatch(/^Noise {5}It wrote 1 line that is no event: "Segmentation \[31m fault"\.$/m);
  });

  it('ends a waiting run that nobody works on', async () => {
    const home = await homeWith(5, 'run-1', 'run-2');
    const stopped = await runOsler(['runs', 'stop', 'run-1'], { home });
    expect(stopped.stdout).toContain('Run run-1 is stopped.');
    const cancelled = await runOsler(['runs', 'cancel', 'run-2'], { home });
    expect(cancelled.stdout).toBe('Run run-2 is cancelled.');
  });
});
