import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSampling } from '../../src/engine/engine.ts';
import { ggufFile } from '../../src/engine/llama/gguf-writer.ts';
import { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { collect, requestOf, textOf } from '../contract/engine-contract.ts';
import { smallEngineOptions } from '../support/small-engine.ts';

const prompt = '<|im_start|>user\nWhat is measles?<|im_end|>\n<|im_start|>assistant\n';
const width = 576;
const rank = 4;

/** A LoRA over the first layer's query weights of SmolLM2-135M; `size` 0 changes nothing. */
function adapterBytes(size: number): Buffer {
  const values = (count: number, value: (index: number) => number): Buffer =>
    Buffer.from(Float32Array.from({ length: count }, (_, index) => value(index)).buffer);
  return ggufFile(
    {
      'general.architecture': { string: 'llama' },
      'general.type': { string: 'adapter' },
      'adapter.type': { string: 'lora' },
      'adapter.lora.alpha': { float32: rank },
    },
    [
      { name: 'blk.0.attn_q.weight.lora_a', shape: [width, rank], type: 0, data: values(width * rank, (index) => Math.sin(index)) },
      { name: 'blk.0.attn_q.weight.lora_b', shape: [rank, width], type: 0, data: values(width * rank, (index) => size * Math.cos(index)) },
    ],
  );
}

describe('three models over one copy of the weights', () => {
  let engines: LlamaEngine[] = [];
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'osler-arms-'));
    const file = async (name: string, size: number): Promise<string> => {
      const place = path.join(folder, `${name}.gguf`);
      await writeFile(place, adapterBytes(size));
      return place;
    };
    engines = LlamaEngine.openArms(await smallEngineOptions({ slots: 2 }), [
      { name: 'base', adapter: null },
      { name: 'same', adapter: { file: await file('same', 0), scale: 1 } },
      { name: 'other', adapter: { file: await file('other', 2), scale: 1 } },
    ]);
    await Promise.all(engines.map((engine) => engine.ready()));
  });
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.close()));
    await rm(folder, { recursive: true, force: true });
  });

  const answerOf = async (engine: LlamaEngine | undefined): Promise<string> => {
    if (engine === undefined) throw new Error('there are three engines');
    const request = requestOf(prompt, { isThoughtPreopened: false, maxTokens: 16, sampling: { ...defaultSampling, temperature: 0 } });
    return textOf(await collect(engine, request), 'answer');
  };

  it('answers as the base where the adapter changes nothing, and otherwise where it does, also side by side', async () => {
    const [base, same, other] = await Promise.all(engines.map((engine) => answerOf(engine)));
    expect(same).toBe(base);
    expect(other).not.toBe(base);
    expect(await answerOf(engines[0])).toBe(base);
  });

  it('runs them in one process, and each counts its own load', async () => {
    expect(new Set(engines.map((engine) => engine.pid)).size).toBe(1);
    const [base, , other] = engines;
    if (base === undefined || other === undefined) throw new Error('there are three engines');
    const [end = -1] = await other.tokenize('<|im_end|>');
    // It cannot end before its limit.
    const running = other.generate(requestOf(prompt, { maxTokens: 200, logitBias: { [end]: -100 } }))[Symbol.asyncIterator]();
    await running.next();
    expect(other.load.running).toBe(1);
    expect(base.load.running).toBe(0);
    await running.return?.();
    expect(other.load.running).toBe(0);
  });

  it('goes on with the others when one is closed', async () => {
    await engines[1]?.close();
    expect(await answerOf(engines[0])).not.toBe('');
  });
});
