import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { collect, describeEngineContract, requestOf, textOf } from '../contract/engine-contract.ts';
import { openSmallEngine, smallEngineOptions, startEngine } from '../support/small-engine.ts';

const prompt = '<|im_start|>user\nWhat is measles? Explain.<|im_end|>\n<|im_start|>assistant\n<think>\n';

describe('LlamaEngine on the real small model', () => {
  let engine: LlamaEngine;
  beforeAll(async () => {
    engine = await openSmallEngine();
  });
  afterAll(async () => engine.close());

  describeEngineContract(() => engine, prompt, { hasRandomText: true });

  it('reuses the prefix of an earlier prompt', async () => {
    await collect(engine, requestOf(prompt, { maxTokens: 2 }));
    const finish = (await collect(engine, requestOf(`${prompt}First,`, { maxTokens: 2 }))).at(-1);
    if (finish?.type !== 'finish') throw new Error('no finish');
    expect(finish.usage.cachedTokens).toBeGreaterThanOrEqual(10);
  });

  it('finds nonsense far less likely than sense (a filter that leaves out the greatest logit would call both certain)', async () => {
    const [sense, nonsense] = [
      await engine.score(prompt, ['Measles is a viral infection.']),
      await engine.score(prompt, ['Zebra quantum the the of.']),
    ];
    expect((nonsense[0]?.nll ?? 0) / (nonsense[0]?.tokens ?? 1)).toBeGreaterThan(2 + (sense[0]?.nll ?? 0) / (sense[0]?.tokens ?? 1));
  });

  it('gives the same scores whether the prompt was cached or not', async () => {
    const fresh = await engine.score(`${prompt}Fresh start.`, [' It is contagious.']);
    const again = await engine.score(`${prompt}Fresh start.`, [' It is contagious.']);
    expect(again[0]?.nll).toBeCloseTo(fresh[0]?.nll ?? 0, 2);
  });

  it('keeps whole characters together', async () => {
    const events = await collect(
      engine,
      requestOf(
        '<|im_start|>user\nRepeat exactly: café naïve 🙂🙂 ≥ 5 µg<|im_end|>\n<|im_start|>assistant\ncafé naïve 🙂🙂 ≥ 5 µg. Again: ',
        {
          isThoughtPreopened: false,
          maxTokens: 40,
          sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, repeatPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 },
        },
      ),
    );
    expect(textOf(events, 'answer')).not.toBe('');
    for (const event of events) if (event.type === 'delta') expect(event.answer).not.toContain('\uFFFD');
  });

  it('fails running requests with a clear error when its process dies, then restarts and serves again', async () => {
    const running = collect(engine, requestOf(prompt, { maxTokens: 900 }));
    const failure = expect(running).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_FAILED' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { pid } = engine;
    if (pid === undefined) throw new Error('the engine has no process');
    process.kill(pid, 'SIGKILL');
    await failure;
    expect(engine.state.name).toBe('restarting');
    await engine.ready();
    expect(engine.load.restarts).toBe(1);
    expect(textOf(await collect(engine, requestOf(prompt, { maxTokens: 5 })), 'thought')).not.toBe('');
  });
});

it('says what is wrong where the file is no model', async () => {
  const engine = startEngine(await smallEngineOptions({ name: 'broken', file: import.meta.filename, threads: 1 }));
  await expect(engine.ready()).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_LOAD' });
  await engine.close();
});
