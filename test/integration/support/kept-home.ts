import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { RunState } from '../../../src/core/schema/run.ts';
import { openStore } from '../../../src/core/store.ts';
import { ModelStore, type StoredModel } from '../../../src/train/model-store.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { RunStore } from '../../../src/train/run-store.ts';

const longAgo = new Date('2026-01-01T00:00:00Z');
/** What must never be seen in an output. */
export const patientText = 'a patient with angina';

/** A home with runs by state, each with files and a model, and one finished evaluation; all of them long ago. Gone after the test. */
export async function keptHome(
  states: Readonly<Record<string, RunState>>,
  status: StoredModel['status'] = 'candidate',
): Promise<{ home: string; folder: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-kept-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const home = path.join(folder, 'home');
  const clock = { ...systemClock, now: () => longAgo };
  const database = openStore(home);
  const runs = new RunStore(database, clock);
  const models = new ModelStore(database);
  const recipe = await resolveRecipe({ preset: 'smoke' });
  for (const [id, state] of Object.entries(states)) {
    runs.add(id, recipe, null);
    runs.setState(id, state);
    const files = runFolder(home, id);
    models.put({
      id,
      runId: id,
      baseRef: recipe.base.ref,
      transformersDir: files.merged,
      ggufFile: files.gguf('q8_0'),
      ggufSha256: null,
      templateFile: files.template,
      status,
      createdAt: longAgo.toISOString(),
    });
    await write(files.trainRows);
    await write(files.template);
    await write(path.join(files.merged, 'config.json'));
    await write(files.gguf('q8_0'));
    await write(path.join(files.root, 'outputs/checkpoint-1/optimizer.pt'));
  }
  database.close();
  await write(path.join(home, 'evaluations/eval-1/samples.jsonl'));
  await write(path.join(home, 'evaluations/eval-1/report.json'), JSON.stringify({ items: [patientText] }));
  return { home, folder };
}

/** What the store of a home holds, while the test runs. */
export function storeOf(home: string): { runs: RunStore; models: ModelStore } {
  const database = openStore(home);
  onTestFinished(() => database.close());
  return { runs: new RunStore(database, systemClock), models: new ModelStore(database) };
}

async function write(file: string, text = patientText): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await utimes(file, longAgo, longAgo);
}
