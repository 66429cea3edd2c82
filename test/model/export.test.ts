import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/core/digest.ts';
import type { GgufType } from '../../src/core/schema/gguf-type.ts';
import { openStore } from '../../src/core/store.ts';
import { ChatTemplate } from '../../src/engine/chat-template.ts';
import { readGguf } from '../../src/engine/gguf-file.ts';
import { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { convertToGguf } from '../../src/train/convert-to-gguf.ts';
import { exportRun } from '../../src/train/export/export-run.ts';
import { inspectGguf } from '../../src/train/export/inspect-gguf.ts';
import { ensureLlamaQuantize } from '../../src/train/export/llama-quantize.ts';
import type { RunExport } from '../../src/train/export/run-export.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { ensurePython } from '../../src/train/python-environment.ts';
import { requireTransformers, resolveModel } from '../../src/train/resolve-model.ts';
import { collect, requestOf } from '../contract/engine-contract.ts';
import { readProjectTemplate } from '../support/project-template.ts';
import { smallEngineOptions, startEngine } from '../support/small-engine.ts';
import { testConfig, testHome } from '../support/test-home.ts';
import { makeTinyRun, type TinyRun } from '../support/tiny-run.ts';

const types: readonly GgufType[] = ['q8_0', 'f16', 'bf16', 'q4_k_m'];
const words = 'Scurvy comes from a lack of vitamin C. It is treated with ascorbic acid.'.split(/(?= )/);

async function tools() {
  const { python, venv } = testConfig();
  return { python: await ensurePython({ python, venv }), cacheDir: path.join(testHome, 'cache') };
}

/** Shape, format and checksum of each tensor. */
async function tensorsOf(file: string): Promise<Record<string, string>> {
  const { tensorInfos, tensorDataOffset } = await gguf(file, { allowLocalFile: true });
  const data = (await readFile(file)).subarray(Number(tensorDataOffset));
  const starts = tensorInfos.map(({ offset }) => Number(offset));
  return Object.fromEntries(
    tensorInfos.map(({ name, shape, dtype, offset }) => {
      const end = starts.filter((start) => start > Number(offset)).reduce((least, start) => Math.min(least, start), data.length);
      return [name, `${String(shape)} ${dtype} ${sha256(data.subarray(Number(offset), end))}`];
    }),
  );
}

describe('an export of a tiny model, by the real converters', () => {
  let home = '';
  let tiny: TinyRun;
  let made: RunExport;
  let baseFile = '';
  let prompt = '';
  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), 'osler-export-'));
    const config = testConfig();
    const deps = { config, models: new ModelStore(openStore(':memory:')) };
    const tokenizer = requireTransformers(await resolveModel('smollm2-135m-instruct', null, deps));
    tiny = await makeTinyRun(home, tokenizer, { ggufTypes: [...types], adapterGguf: true, name: 'Tiny-Medical' });
    // Compiled once, and kept with what else the tests keep; so are the sources.
    const cacheDir = path.join(testHome, 'cache');
    const quantizer = await ensureLlamaQuantize({ cacheDir });
    await symlink(cacheDir, path.join(home, 'cache'));
    made = await exportRun(tiny.run, tiny.folder, { config: { ...config, home }, quantizer });
    baseFile = path.join(home, 'base.gguf');
    const { python } = await tools();
    await convertToGguf({ python, cacheDir, source: tiny.base, target: baseFile, type: 'bf16' });
    const { bosToken, eosToken } = await readGguf(baseFile);
    const template = new ChatTemplate({ owner: 'tiny', source: readProjectTemplate(), bosToken, eosToken });
    prompt = template.render([{ role: 'user', content: 'What causes scurvy?' }]).text;
  });
  afterAll(async () => {
    await rm(path.join(home, 'cache'), { force: true });
    await rm(home, { recursive: true, force: true });
  });

  const fileOf = (type: GgufType): string => path.join(tiny.folder.root, made.ggufs.find((gguf) => gguf.type === type)?.file ?? 'none');
  const optionsOf = async (file: string) => await smallEngineOptions({ file, slots: 1, contextTokens: 512 });
  const nllsOf = async (engine: LlamaEngine): Promise<number[]> => {
    await engine.ready();
    return (await engine.score(prompt, words)).map(({ nll }) => nll);
  };
  /** How far apart two models find the words, in nats a word. */
  const distance = (a: readonly number[] | undefined, b: readonly number[] | undefined): number =>
    words.reduce((sum, _, index) => sum + Math.abs((a?.[index] ?? Number.NaN) - (b?.[index] ?? Number.NaN)), 0) / words.length;

  it('holds the weights in the formats that the types are named after', () => {
    const formats = Object.fromEntries(made.ggufs.map(({ type, tensorTypes }) => [type, tensorTypes]));
    expect(formats).toEqual({
      q8_0: { q8_0: 15, f32: 5 },
      f16: { f16: 15, f32: 5 },
      bf16: { bf16: 15, f32: 5 },
      q4_k_m: { q4_k: 12, q6_k: 3, f32: 5 },
    });
    expect(made.notices).toEqual([]);
    expect(existsSync(path.join(tiny.folder.root, 'between-bf16.gguf'))).toBe(false);
  });

  it('holds the same q8_0, to the bit, that the converter would write', async () => {
    const { python, cacheDir } = await tools();
    const target = path.join(home, 'converted.gguf');
    await convertToGguf({ python, cacheDir, source: tiny.folder.merged, target, type: 'q8_0' });
    expect(await tensorsOf(fileOf('q8_0'))).toEqual(await tensorsOf(target));
  });

  it.each(types)('carries template, tokens and names in %s', async (type) => {
    const contents = await inspectGguf(fileOf(type));
    expect(contents).toMatchObject({
      chatTemplate: readProjectTemplate(),
      bosToken: '<|im_start|>',
      eosToken: '<|im_end|>',
      addsBos: false,
      addsEos: false,
    });
    expect((await readGguf(fileOf(type))).name).toBe('Tiny-Medical');
  });

  it('loads each type, which generates and finds words as likely as the others do, the coarser the farther', async () => {
    const found: Partial<Record<GgufType, number[]>> = {};
    for (const type of types) {
      const engine = startEngine(await optionsOf(fileOf(type)));
      try {
        found[type] = await nllsOf(engine);
        const finish = (await collect(engine, requestOf(prompt, { maxTokens: 4 }))).at(-1);
        expect(finish).toMatchObject({ type: 'finish' });
      } finally {
        await engine.close();
      }
    }
    const [f16, q8, q4] = (['f16', 'q8_0', 'q4_k_m'] as const).map((type) => distance(found[type], found.bf16));
    expect(f16).toBeLessThan(0.02);
    expect(q8).toBeLessThan(0.1);
    expect(q4).toBeLessThan(1);
  });

  it('loads the adapter over the base, and the two are the merged model', async () => {
    const adapter = { file: path.join(tiny.folder.root, made.adapterGguf?.file ?? 'none'), scale: 1 };
    const [base, tuned] = LlamaEngine.openArms(await optionsOf(baseFile), [
      { name: 'base', adapter: null },
      { name: 'tuned', adapter },
    ]);
    const merged = startEngine(await optionsOf(fileOf('bf16')));
    if (base === undefined || tuned === undefined) throw new Error('two arms open two engines');
    try {
      const [without, over, whole] = [await nllsOf(base), await nllsOf(tuned), await nllsOf(merged)];
      // What is left is the rounding of the merged weights to 16 bit.
      expect(distance(over, whole)).toBeLessThan(0.1 * distance(without, whole));
    } finally {
      for (const engine of [base, tuned, merged]) await engine.close();
    }
  });
});
