import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src/engine/engine.ts';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { collect, requestOf, textOf } from '../contract/engine-contract.ts';
import { openSmallEngine } from '../support/small-engine.ts';

const prompt = '<|im_start|>user\nTell all about measles.<|im_end|>\n<|im_start|>assistant\n<think>\n';

describe('an engine whose process dies in the middle of 16 streams', () => {
  let engine: LlamaEngine | undefined;
  afterEach(async () => {
    await engine?.close();
  });

  // SIGABRT is what a failed assertion in native code ends a process with.
  it.each(['SIGKILL', 'SIGABRT'] as const)('fails each of them by name, restarts, and answers the 17th request (%s)', async (signal) => {
    const opened = await openSmallEngine({ slots: 16, contextTokens: 512 });
    engine = opened;
    const seen = Array.from({ length: 16 }, (): EngineEvent[] => []);
    const streams = seen.map(async (events, seed) => {
      for await (const event of opened.generate(requestOf(prompt, { seed, maxTokens: 400 }))) events.push(event);
    });
    const outcomes = Promise.allSettled(streams);
    while (seen.some((events) => events.length === 0)) await sleep(20);
    process.kill(opened.pid ?? 0, signal);
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'OSLER_ERR_ENGINE_FAILED', statusCode: 503 } });
    expect(opened.state.name).toBe('restarting');
    expect(opened.load).toMatchObject({ running: 0, waiting: 0, occupancy: 0 });
    await expect(collect(opened, requestOf(prompt))).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_NOT_READY' });
    await opened.ready();
    expect(opened.load.restarts).toBe(1);
    expect(textOf(await collect(opened, requestOf(prompt, { maxTokens: 5 })), 'thought')).not.toBe('');
  });
});
