import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { z } from 'zod';
import type { Config } from '../../src/core/config.ts';
import { sha256 } from '../../src/core/digest.ts';
import { openStore } from '../../src/core/store.ts';
import type { Recipe } from '../../src/core/schema/recipe.ts';
import type { Run } from '../../src/core/schema/run.ts';
import type { TrainEvent } from '../../src/core/schema/train-event.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import { type RunFolder, runFolder } from '../../src/train/run-folder.ts';
import type { RunSource } from '../../src/train/run-source.ts';
import { RunStore } from '../../src/train/run-store.ts';
import { FixedClock } from './fixed-clock.ts';
import { testConfig } from './test-home.ts';

const at = '2026-11-24T10:00:00.000Z';

/** A run that is done, with an adapter, a merged model and a GGUF, all of random bytes. */
export interface PublishedRun {
  readonly config: Config;
  readonly clock: FixedClock;
  readonly runs: RunStore;
  readonly run: Run;
  readonly folder: RunFolder;
}

/** Makes a run as the tutorial leaves it; settings hold paths of this machine, as peft writes them for a local base. */
export async function makePublishedRun(
  home: string,
  changes: {
    hubEndpoint?: string;
    hubToken?: string | null;
    set?: Record<string, unknown>;
    source?: Partial<SourceFile>;
    preset?: string;
  } = {},
): Promise<PublishedRun> {
  const config = { ...testConfig(home), hubEndpoint: changes.hubEndpoint ?? 'http://127.0.0.1:9', hubToken: changes.hubToken ?? null };
  const clock = new FixedClock(at);
  const runs = new RunStore(openStore(home), clock);
  const recipe: Recipe = await resolveRecipe({ preset: changes.preset ?? 'tutorial', set: changes.set ?? {} });
  const { run } = runs.add('run-20261124t1000-0a1b2c3d', recipe, null);
  runs.setState(run.id, 'done');
  const folder = runFolder(home, run.id);
  const basePath = path.join(home, 'cache/hub/models/unsloth/base');
  write(folder.adapter, {
    'adapter_model.safetensors': randomBytes(20_000),
    'adapter_config.json': JSON.stringify({ peft_type: 'LORA', base_model_name_or_path: basePath, revision: null, r: 16 }),
    'tokenizer.json': '{"model": {}}',
    'README.md': 'what another program wrote',
    'training_args.bin': 'a pickle',
  });
  write(folder.merged, {
    'config.json': JSON.stringify({ model_type: 'llama', _name_or_path: basePath }),
    'model.safetensors': randomBytes(40_000),
    'tokenizer.json': '{"model": {}}',
    'chat_template.jinja': '{{ messages }}',
  });
  writeFileSync(folder.gguf('q8_0'), randomBytes(30_000));
  writeFileSync(folder.source, JSON.stringify(sourceOf(recipe, changes.source)));
  writeFileSync(
    folder.events,
    eventsOf(run.id, folder, basePath)
      .map((event) => `${JSON.stringify(event)}\n`)
      .join(''),
  );
  return { config, clock, runs, run: runs.get(run.id), folder };
}

/** What source.json may leave out is left out. */
type SourceFile = z.input<typeof RunSource>;

function sourceOf(recipe: Recipe, changes: Partial<SourceFile> = {}): SourceFile {
  return {
    data: { ref: recipe.data.ref, revision: 'd'.repeat(40), sha256: 'e'.repeat(64), trainRows: 500, heldOutRows: 100 },
    base: { ref: recipe.base.ref, revision: 'b'.repeat(40) },
    ...changes,
  };
}

function eventsOf(runId: string, folder: RunFolder, basePath: string): TrainEvent[] {
  const progress = {
    type: 'progress',
    at,
    totalSteps: 60,
    epoch: 1,
    learningRate: 1e-4,
    gradNorm: 1,
    tokensPerSecond: 10,
    memoryBytes: 1,
    etaSeconds: 0,
  } as const;
  return [
    {
      type: 'started',
      at,
      runId,
      backend: 'unsloth',
      pid: 1,
      versions: { torch: '2.11.0', peft: '0.21.2' },
      device: { kind: 'cuda', name: 'NVIDIA H100 80GB HBM3', memoryBytes: 85_000_000_000 },
      resolved: { precision: 'bf16', optimizer: 'adamw_8bit', loadedFrom: basePath, resumedFrom: null },
    },
    {
      type: 'dataset',
      at,
      rows: 500,
      truncatedRows: 3,
      lengthTokens: { min: 10, median: 600, p95: 900, max: 2048 },
      firstText: 'a row that is nobody’s business',
    },
    { ...progress, step: 10, loss: 2.345 },
    { ...progress, step: 60, loss: 1.234 },
    { type: 'heldOut', at, step: 60, loss: 1.456 },
    artifactOf('adapter', folder.adapter),
    artifactOf('merged', folder.merged),
    { type: 'finished', at, steps: 60, finalLoss: 1.234, trainSeconds: 138, peakMemoryBytes: 5_600_000_000 },
  ];
}

/** The trainer's word on a folder as it is now. */
function artifactOf(kind: 'adapter' | 'merged', folder: string): TrainEvent {
  const files = readdirSync(folder).map((name) => {
    const bytes = readFileSync(path.join(folder, name));
    return { path: name, bytes: bytes.length, sha256: sha256(bytes) };
  });
  return { type: 'artifact', at, kind, path: folder, bytes: files.reduce((sum, file) => sum + file.bytes, 0), files };
}

function write(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
}
