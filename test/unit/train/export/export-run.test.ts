import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sha256OfFile } from '../../../../src/core/digest.ts';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { readExportSource } from '../../../../src/train/export/export-source.ts';
import { exportRun } from '../../../../src/train/export/export-run.ts';
import type { ExportRunOptions } from '../../../../src/train/export/exporter.ts';
import { readRunExport } from '../../../../src/train/export/run-export.ts';
import { RunDigests } from '../../../../src/train/run-digests.ts';
import { runFolder } from '../../../../src/train/run-folder.ts';
import { errorOf } from '../../../support/error-of.ts';
import { fewWeights, installExportTools, shortTemplate, writeTrained } from '../../../support/export-tools.ts';
import { doneRun } from '../../../support/tiny-run.ts';
import { safetensorsBytes } from '../../../support/safetensors.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

/** A run that is done, with programs that stand for Python and llama-quantize. */
async function newRun(output: Partial<Recipe['output']> = {}) {
  const home = temporaryFolder();
  const run = await doneRun({ ggufTypes: ['q8_0'], adapterGguf: false, ...output });
  const folder = runFolder(home, run.id);
  const { venv, quantizer } = await installExportTools(home);
  await writeTrained(folder);
  const config = { ...testConfig(home), venv };
  const start = (options: ExportRunOptions = {}) => exportRun(run, folder, { config, quantizer }, options);
  const behave = (behaviour: string) => writeFile(path.join(home, 'behaviour'), behaviour);
  const calls = (): string[] =>
    existsSync(path.join(home, 'calls')) ? readFileSync(path.join(home, 'calls'), 'utf8').trim().split('\n') : [];
  const forget = () => rm(path.join(home, 'calls'), { force: true });
  /** What the export left, but for what the stand-ins keep. */
  const files = (): string[] =>
    readdirSync(folder.root)
      .filter((name) => !name.endsWith('.template') && !['.digests.json', 'adapter', 'merged', 'template.jinja'].includes(name))
      .toSorted();
  return { home, run, folder, start, behave, calls, forget, files };
}

describe('exportRun', () => {
  it('makes the types of the recipe in its order, and lists them with size, checksum and formats', async () => {
    const { start, folder, files } = await newRun({ ggufTypes: ['q8_0', 'bf16'] });
    const made = await start();
    expect(made.ggufs.map(({ type }) => type)).toEqual(['q8_0', 'bf16']);
    const [first] = made.ggufs;
    expect(first).toMatchObject({ file: 'merged-q8_0.gguf', tensorTypes: { q8_0: 1, f32: 1 } });
    expect(first?.sha256).toBe(await sha256OfFile(folder.gguf('q8_0')));
    expect(made.notices).toEqual([]);
    expect(await readRunExport(folder)).toEqual(made);
    expect(files()).toEqual(['Modelfile', 'export.json', 'merged-bf16.gguf', 'merged-q8_0.gguf']);
    expect(await readFile(path.join(folder.root, 'Modelfile'), 'utf8')).toContain('FROM ./merged-q8_0.gguf');
  });

  it('reads merged model and adapter once, and again where one was touched', async () => {
    const { run, folder } = await newRun();
    const { sha256: first } = await readExportSource(run, folder);
    const record = path.join(folder.root, '.digests.json');
    const digest = await sha256OfFile(path.join(folder.merged, 'model.safetensors'));
    const known = await readFile(record, 'utf8');
    expect(known).toContain(digest);
    // What is on record is believed: the file was not read.
    await writeFile(record, known.replace(digest, 'a'.repeat(64)));
    expect((await readExportSource(run, folder)).sha256).not.toBe(first);
    const weights = path.join(folder.merged, 'model.safetensors');
    const { atime, mtime } = await stat(weights);
    await utimes(weights, atime, mtime);
    expect((await readExportSource(run, folder)).sha256).toBe(first);
    expect(await (await RunDigests.open(folder)).of('merged/model.safetensors')).toBe(digest);
  });

  it('makes K-quants from the merged weights as they are, in a file that goes afterwards', async () => {
    const { start, calls, files } = await newRun({ ggufTypes: ['q4_k_m', 'q6_k'] });
    await start();
    expect(calls()).toEqual(['convert bf16', 'quantize q4_k_m', 'quantize q6_k']);
    expect(files()).toEqual(['Modelfile', 'export.json', 'merged-q4_k_m.gguf', 'merged-q6_k.gguf']);
  });

  it('leaves q8_0 to llama-quantize where that is needed anyhow', async () => {
    const { start, calls } = await newRun({ ggufTypes: ['q8_0', 'f16', 'q4_k_m'] });
    const made = await start();
    expect(calls()).toEqual(['convert f16', 'convert bf16', 'quantize q8_0', 'quantize q4_k_m']);
    expect(made.ggufs.map(({ type }) => type)).toEqual(['q8_0', 'f16', 'q4_k_m']);
  });

  it('makes K-quants from the file of that type where it is wanted itself', async () => {
    const { start, calls } = await newRun({ ggufTypes: ['q4_k_m', 'bf16'] });
    const made = await start();
    expect(calls()).toEqual(['convert bf16', 'quantize q4_k_m']);
    expect(made.ggufs.map(({ type }) => type)).toEqual(['q4_k_m', 'bf16']);
  });

  it('tells where a K-quant is not what its name says', async () => {
    const { start, behave } = await newRun({ ggufTypes: ['q4_k_m'] });
    await behave('narrow rows');
    const { notices } = await start();
    expect(notices).toEqual([
      expect.stringMatching(/^merged-q4_k_m\.gguf: 1 of 1 matrices are of other formats than q4_k_m means \(1 of q5_0\)/),
    ]);
  });

  it('makes nothing again that is whole and of the same model, and keeps types that were asked for before', async () => {
    const { start, calls, forget } = await newRun();
    await start({ types: ['f16'] });
    await forget();
    const again = await start();
    expect(calls()).toEqual([]);
    expect(again.ggufs.map(({ type }) => type)).toEqual(['q8_0', 'f16']);
  });

  it('makes again what is damaged, and all where the merged model is another', async () => {
    const { start, calls, forget, folder } = await newRun({ ggufTypes: ['q8_0', 'f16'], adapterGguf: true });
    await start();
    const bytes = await readFile(folder.gguf('f16'));
    bytes[bytes.length - 1] = 1;
    await writeFile(folder.gguf('f16'), bytes);
    await forget();
    await start();
    expect(calls()).toEqual(['convert f16']);
    await writeFile(path.join(folder.merged, 'model.safetensors'), safetensorsBytes(fewWeights, 'F32'));
    await forget();
    await start();
    expect(calls()).toEqual(['convert q8_0', 'convert f16', 'adapter f32']);
  });

  it('tells what it does, step by step', async () => {
    const { start } = await newRun({ ggufTypes: ['q8_0', 'q4_k_m'], adapterGguf: true });
    const steps: string[] = [];
    await start({ onStep: (step) => steps.push(step) });
    expect(steps).toEqual([
      'convert the tuned model to GGUF bf16',
      'quantise the tuned model to GGUF q8_0',
      'quantise the tuned model to GGUF q4_k_m',
      'convert the adapter to GGUF f32',
    ]);
  });
});

describe('exportRun: the adapter', () => {
  it('is made in 32 bit, under the name of the model, without the card that peft writes', async () => {
    const { start, home, folder } = await newRun({ adapterGguf: true, name: 'Cough' });
    await writeFile(path.join(folder.adapter, 'README.md'), '---\nbase_model: /secret/path\n---\n');
    const { adapterGguf } = await start();
    expect(adapterGguf).toMatchObject({ file: 'adapter-f32.gguf', sha256: await sha256OfFile(path.join(folder.root, 'adapter-f32.gguf')) });
    expect(JSON.parse(await readFile(path.join(home, 'adapter-seen.json'), 'utf8'))).toEqual({
      config: { r: 4, lora_alpha: 8 },
      card: '---\nname: "Cough"\n---\n',
    });
  });

  it('has the scale of rsLoRA in its alpha', async () => {
    const { start, home, folder } = await newRun({ adapterGguf: true });
    await writeFile(path.join(folder.adapter, 'adapter_config.json'), JSON.stringify({ r: 4, lora_alpha: 8, use_rslora: true }));
    await start();
    // alpha / √r = 8 / 2 is the scale; llama.cpp divides by r = 4.
    expect(JSON.parse(await readFile(path.join(home, 'adapter-seen.json'), 'utf8'))).toMatchObject({ config: { lora_alpha: 16 } });
  });

  it.each([
    ['wrong adapter', 'at "blk.0.attn_q.weight.lora_a", its side is 512 and that of the model 256'],
    ['unknown tensor', 'at "blk.9.attn_q.weight.lora_a", that model has no such tensor'],
  ])('is refused where it is for another model, which is told by name (%s)', async (behaviour, told) => {
    const { start, behave, files } = await newRun({ adapterGguf: true });
    await behave(behaviour);
    const error = await errorOf(() => start());
    expect(error.code).toBe('OSLER_ERR_EXPORT_FAILED');
    expect(error.message).toContain(told);
    expect(files()).toEqual(['export.json', 'merged-q8_0.gguf']);
  });

  it('is told missing where it is', async () => {
    const { start, folder } = await newRun({ adapterGguf: true });
    await rm(folder.adapter, { recursive: true });
    expect((await errorOf(() => start())).message).toContain('adapter_config.json" is no configuration of a LoRA adapter');
  });
});

describe('exportRun: what goes wrong', () => {
  it('shows the converter’s last lines, keeps what was complete and nothing half', async () => {
    const { start, behave, files, calls, forget } = await newRun({ ggufTypes: ['q8_0', 'f16'] });
    await behave('fail at f16');
    const error = await errorOf(() => start());
    expect(error.code).toBe('OSLER_ERR_EXPORT_FAILED');
    expect(error.message).toContain('ERROR:hf-to-gguf:Model StrangeForCausalLM is not supported');
    expect(error.message).not.toContain('Writing');
    expect(files()).toEqual(['export.json', 'merged-q8_0.gguf']);
    await behave('');
    await forget();
    await start();
    expect(calls()).toEqual(['convert f16']);
  });

  it.each(['q8_0', 'q4_k_m'])('says that the disk is full where the disk is full (at %s)', async (type) => {
    const { start, behave, files } = await newRun({ ggufTypes: ['q8_0', 'q4_k_m'] });
    await behave(`full at ${type}`);
    expect((await errorOf(() => start())).code).toBe('OSLER_ERR_DISK_FULL');
    expect(files()).toEqual(type === 'q8_0' ? [] : ['export.json', 'merged-q8_0.gguf']);
  });

  it('says what a killed converter means', async () => {
    const { start, behave, files } = await newRun();
    await behave('killed at q8_0');
    expect((await errorOf(() => start())).message).toContain('memory runs out');
    expect(files()).toEqual([]);
  });

  it('refuses before it begins what the disk cannot hold', async () => {
    const { start, folder, calls } = await newRun();
    const header = { w: { dtype: 'BF16', shape: [2 ** 26, 2 ** 26], data_offsets: [0, 0] } };
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    await writeFile(path.join(folder.merged, 'model.safetensors'), Buffer.concat([size, text]));
    expect((await errorOf(() => start())).code).toBe('OSLER_ERR_DISK_FULL');
    expect(calls()).toEqual([]);
  });

  it('stops when told to, and leaves nothing half', async () => {
    const { start, behave, calls, files } = await newRun();
    await behave('hang at q8_0');
    const stop = new AbortController();
    const work = start({ signal: stop.signal });
    const end = expect(work).rejects.toThrow('enough');
    while (calls().length === 0) await sleep(20);
    stop.abort(new Error('enough'));
    await end;
    expect(files()).toEqual([]);
  });

  it('clears away what a process that was killed left half', async () => {
    const { start, folder, files } = await newRun();
    for (const name of ['merged-q8_0.gguf.123.tmp', 'between-bf16.gguf', '.gguf-metadata.json'])
      await writeFile(path.join(folder.root, name), 'half');
    await mkdir(path.join(folder.root, '.adapter-view-abc'));
    await start();
    expect(files()).toEqual(['Modelfile', 'export.json', 'merged-q8_0.gguf']);
  });

  it('refuses a merged model without the template that it was trained with', async () => {
    const { start, folder, files } = await newRun();
    await writeFile(path.join(folder.merged, 'tokenizer_config.json'), '{}');
    expect((await errorOf(() => start())).message).toContain('it carries no chat template');
    await writeFile(path.join(folder.merged, 'tokenizer_config.json'), JSON.stringify({ chat_template: `${shortTemplate}\n` }));
    expect((await errorOf(() => start())).message).toContain('its chat template is not that of template.jinja');
    expect(files()).toEqual([]);
  });

  it.each([
    ['model.safetensors', 'there is no merged model'],
    ['../template.jinja', 'the chat template of the run is missing'],
  ])('says what is missing (%s)', async (file, told) => {
    const { start, folder } = await newRun();
    await rm(path.join(folder.merged, file));
    expect((await errorOf(() => start())).message).toContain(told);
  });

  it('refuses weights that were cut off', async () => {
    const { start, folder } = await newRun();
    await writeFile(path.join(folder.merged, 'model.safetensors'), Buffer.alloc(4));
    expect((await errorOf(() => start())).message).toContain('it is no whole safetensors file');
  });
});
