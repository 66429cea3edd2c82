import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { EngineEvent, GenerateRequest } from '../../../../src/engine/engine.ts';
import { LockstepDriver } from '../../../../src/engine/llama/driver.ts';
import type { ChildFault } from '../../../../src/engine/llama/protocol.ts';
import { PrefixCopier } from '../../../../src/engine/llama/shared-prefix.ts';
import { defaultThoughtTags } from '../../../../src/engine/thought-splitter.ts';
import { requestOf, textOf } from '../../../contract/engine-contract.ts';
import { type Decode, fakeContext, type FakeContextOptions } from './fake-context.ts';

interface Run {
  readonly driver: LockstepDriver;
  readonly decodes: Decode[];
  readonly faults: Map<number, ChildFault>;
  readonly sizes: number[];
  eventsOf(id: number): EngineEvent[];
  /** Waits for the ends of these requests. */
  finished(...ids: number[]): Promise<void>;
}

function start(options: FakeContextOptions & { copier?: PrefixCopier | undefined }): Run {
  const { context, decodes } = fakeContext(options);
  const events = new Map<number, EngineEvent[]>();
  const faults = new Map<number, ChildFault>();
  const sizes: number[] = [];
  const eventsOf = (id: number): EngineEvent[] => events.get(id) ?? [];
  const driver = new LockstepDriver(
    context,
    {
      onStep: (step, size) => {
        sizes.push(size);
        for (const { id, event } of step) events.set(id, [...eventsOf(id), event]);
      },
      onFault: (id, fault) => void faults.set(id, fault),
    },
    { slots: options.slots, tags: defaultThoughtTags, copier: options.copier },
  );
  const hasEnded = (id: number): boolean => faults.has(id) || eventsOf(id).at(-1)?.type === 'finish';
  return { driver, decodes, faults, sizes, eventsOf, finished: async (...ids) => await poll(() => ids.every(hasEnded)).toBe(true) };
}

const poll = <T>(read: () => T) => expect.poll(read, { interval: 2, timeout: 5000 });
const idle = (run: Run) => poll(() => run.driver.slots().every((slot) => slot.state === 'idle')).toBe(true);

function finishOf(run: Run, id: number): Extract<EngineEvent, { type: 'finish' }> {
  const finish = run.eventsOf(id).at(-1);
  if (finish?.type !== 'finish') throw new Error(`request ${id} has not finished`);
  return finish;
}

function ask(run: Run, id: number, prompt: string, changes: Partial<GenerateRequest> = {}): void {
  void run.driver.add(id, requestOf(prompt, { maxTokens: null, ...changes }));
}

describe('LockstepDriver', () => {
  it('reads prompts that arrive together in one batch, and takes their first tokens from it', async () => {
    const run = start({ slots: 4 });
    for (const id of [1, 2, 3]) ask(run, id, `prompt ${id}`);
    await run.finished(1, 2, 3);
    expect(run.decodes.slice(0, 3)).toEqual([0, 1, 2].map((slot) => ({ slot, tokens: expect.any(Array), isStep: true })));
    expect(run.sizes[0]).toBe(3);
    for (const id of [1, 2, 3]) expect(textOf(run.eventsOf(id), 'answer')).toBe('Yes.');
  });

  it('reads a long prompt in pieces that leave room for the others’ tokens, which go on meanwhile', async () => {
    const run = start({
      slots: 2,
      batchTokens: 16,
      reply: 'x'.repeat(60),
      hook: () => {
        if (run.decodes.length === 3) ask(run, 2, 'y'.repeat(100));
      },
    });
    ask(run, 1, 'short');
    await run.finished(1, 2);
    const pieces = run.decodes.filter(({ slot }) => slot === 1);
    expect(pieces.slice(0, 7).map(({ tokens, isStep }) => [tokens.length, isStep])).toEqual([
      ...Array.from({ length: 6 }, () => [15, false]),
      [10, true],
    ]);
    const firstOfTwo = run.decodes.findIndex(({ slot, isStep }) => slot === 1 && isStep);
    const stepsOfOne = run.decodes.slice(0, firstOfTwo).filter(({ slot }) => slot === 0).length;
    expect(stepsOfOne).toBeGreaterThanOrEqual(9);
  });

  it('never decodes more than a batch at once, however many prompts wait', async () => {
    const run = start({ slots: 8, batchTokens: 20 });
    for (let id = 1; id <= 8; id += 1) ask(run, id, 'z'.repeat(9 + id));
    await run.finished(1, 2, 3, 4, 5, 6, 7, 8);
    expect(run.decodes.slice(0, 2).map(({ tokens, isStep }) => [tokens.length, isStep])).toEqual([
      [10, true],
      [10, false],
    ]);
    expect(run.sizes[0]).toBe(1);
    expect(Math.max(...run.decodes.map(({ tokens }) => tokens.length))).toBeLessThanOrEqual(20);
  });

  it('reads only what the slot’s cache lacks', async () => {
    const run = start({ slots: 2 });
    ask(run, 1, 'one prompt');
    await run.finished(1);
    ask(run, 2, 'one prompt and more');
    await run.finished(2);
    expect(finishOf(run, 2).usage).toMatchObject({ promptTokens: 19, cachedTokens: 10 });
  });

  it('reads a prompt anew where the cache cannot go back, and uses it where the prompt goes on from its end', async () => {
    const run = start({ slots: 1, needsCheckpoints: true, reply: 'ab' });
    ask(run, 1, 'one prompt');
    await run.finished(1);
    ask(run, 2, 'one prompt and more');
    await run.finished(2);
    expect(finishOf(run, 2).usage.cachedTokens).toBe(0);
    ask(run, 3, 'one prompt and moreab then');
    await run.finished(3);
    expect(finishOf(run, 3).usage.cachedTokens).toBe(21);
  });

  it.each([
    ['while its prompt is read', { batchTokens: 4 }, 'p'.repeat(400)],
    ['while it generates', { reply: 'x'.repeat(900) }, 'prompt'],
  ])('cancels a request %s, and gives its slot to the next', async (_name, options, prompt) => {
    const run = start({
      slots: 1,
      ...options,
      hook: () => {
        if (run.decodes.length === 3) run.driver.cancel(1);
      },
    });
    ask(run, 1, prompt);
    await poll(() => run.decodes.length).toBe(3);
    await idle(run);
    await sleep(20);
    expect(run.decodes).toHaveLength(3);
    ask(run, 2, 'next', { maxTokens: 3 });
    await run.finished(2);
  });

  it('cancels a request that waits, and one whose slot is being cleared', async () => {
    const erasing = Promise.withResolvers<void>();
    let erases = 0;
    const run = start({
      slots: 1,
      hook: async (what) => {
        if (what !== 'erase') return;
        erases += 1;
        await erasing.promise;
      },
    });
    ask(run, 1, 'first');
    await run.finished(1);
    ask(run, 2, 'other', { maxTokens: 500 });
    await poll(() => erases).toBe(1);
    ask(run, 3, 'waits');
    await sleep(5);
    run.driver.cancel(2);
    run.driver.cancel(3);
    const before = run.decodes.length;
    erasing.resolve();
    await idle(run);
    await sleep(20);
    expect(run.decodes).toHaveLength(before);
  });

  it('fails the request whose slot cannot be cleared, and serves others', async () => {
    let erases = 0;
    const run = start({
      slots: 1,
      hook: (what) => {
        if (what === 'erase') erases += 1;
        if (what === 'erase' && erases === 1) throw new Error('no such cells');
      },
    });
    for (const id of [1, 2, 3]) {
      ask(run, id, `${id} prompt`);
      await run.finished(id);
    }
    expect([...run.faults.keys()]).toEqual([2]);
    expect(textOf(run.eventsOf(3), 'answer')).toBe('Yes.');
  });

  it('fails a request whose decoding fails, forgets what its slot held, and goes on with the others', async () => {
    let isBroken = true;
    const run = start({
      slots: 2,
      hook: (what, slot) => {
        if (what === 'decode' && slot === 1 && isBroken) throw new Error('decode failed');
      },
    });
    ask(run, 1, 'good prompt');
    ask(run, 2, 'poor prompt');
    await run.finished(1, 2);
    expect([...run.faults]).toEqual([[2, expect.objectContaining({ code: 'internal' })]]);
    expect(run.driver.slots()[1]).toMatchObject({ state: 'idle', cachedTokens: 0 });
    isBroken = false;
    ask(run, 3, 'good prompt');
    ask(run, 4, 'poor prompt');
    await run.finished(3, 4);
    expect(run.faults.size).toBe(1);
  });

  it('gives the slot of the cached conversation to the request that continues it, whichever came first', async () => {
    const run = start({ slots: 2 });
    const conversation = `Common. ${'A long talk. '.repeat(8)}`;
    ask(run, 1, conversation);
    await run.finished(1);
    ask(run, 2, 'Common. New question');
    ask(run, 3, `${conversation}More.`);
    await run.finished(2, 3);
    expect(finishOf(run, 3).usage.cachedTokens).toBe(conversation.length);
  });

  describe.runIf(process.platform === 'linux')('with a copier', async () => {
    const copier = (await PrefixCopier.create()) ?? undefined;
    afterAll(() => copier?.remove());
    const notes = 'Follow these notes. '.repeat(8);
    const decoded = (run: Run): number => run.decodes.reduce((sum, { tokens }) => sum + tokens.length, 0);

    it('reads a beginning that requests share once, also where they come together', async () => {
      const run = start({ slots: 4, copier, batchTokens: 100, reply: 'ab' });
      for (const id of [1, 2, 3, 4]) ask(run, id, `${notes}Question ${id}`);
      await run.finished(1, 2, 3, 4);
      for (const id of [2, 3, 4]) expect(finishOf(run, id).usage.cachedTokens).toBeGreaterThanOrEqual(notes.length);
      expect(decoded(run)).toBeLessThan(notes.length + 120);
      for (const id of [1, 2, 3, 4]) expect(run.eventsOf(id).some((event) => event.type === 'delta' && event.thought !== '')).toBe(true);
    });

    it('copies from a slot that generates', async () => {
      const run = start({
        slots: 2,
        copier,
        batchTokens: 256,
        reply: 'x'.repeat(60),
        hook: (what) => {
          if (what === 'decode' && run.decodes.length === 10) ask(run, 2, `${notes}Second`);
        },
      });
      ask(run, 1, `${notes}First`);
      await run.finished(1, 2);
      expect(finishOf(run, 2).usage.cachedTokens).toBe(notes.length);
      expect(textOf(run.eventsOf(1), 'thought')).toBe('x'.repeat(60));
    });

    it('lets those that wait for a beginning go on where the one that reads it is cancelled', async () => {
      const run = start({
        slots: 2,
        copier,
        batchTokens: 16,
        hook: () => {
          if (run.decodes.length === 3) run.driver.cancel(1);
        },
      });
      ask(run, 1, `${notes}First`);
      ask(run, 2, `${notes}Second`);
      await run.finished(2);
      expect(run.eventsOf(1)).toEqual([]);
    });

    it.each(['save', 'load'] as const)('reads the whole prompt where the %s fails', async (failing) => {
      const run = start({
        slots: 2,
        copier,
        batchTokens: 256,
        hook: (what) => {
          if (what === failing) throw new Error('no memory');
        },
      });
      for (const id of [1, 2]) ask(run, id, `${notes}Question ${id}`);
      await run.finished(1, 2);
      expect(run.faults.size).toBe(0);
      expect(finishOf(run, 2).usage.cachedTokens).toBeLessThan(notes.length);
      expect(textOf(run.eventsOf(2), 'answer')).toBe('Yes.');
    });
  });

  describe('at its limits', () => {
    const closing = '\n</think>\n\n'.length;

    it.each([1, 4, 5, 8, 16, 17, 18, 40])('never counts more tokens than maxTokens, thought closed or not (%i)', async (maxTokens) => {
      const run = start({ slots: 1, reply: 'x'.repeat(200) });
      ask(run, 1, 'prompt', { thinkingBudgetTokens: 4, maxTokens });
      await run.finished(1);
      const { usage, reason } = finishOf(run, 1);
      expect(reason).toBe('length');
      expect(usage.completionTokens).toBeLessThanOrEqual(maxTokens);
      const hasRoom = maxTokens > 4 + closing;
      expect(textOf(run.eventsOf(1), 'answer') !== '').toBe(hasRoom);
      expect(run.eventsOf(1).find((event) => event.type === 'thought-closed')).toEqual({
        type: 'thought-closed',
        how: hasRoom ? 'budget' : 'never',
      });
      if (hasRoom) expect(usage.completionTokens).toBe(maxTokens);
    });

    it.each([null, 0, 3, 30])('fills the context to its end and never beyond (budget %s)', async (thinkingBudgetTokens) => {
      for (let length = 20; length < 60; length += 1) {
        const run = start({ slots: 1, contextTokens: 60, reply: 'x'.repeat(200) });
        ask(run, 1, 'p'.repeat(length), { thinkingBudgetTokens });
        await run.finished(1);
        if (run.faults.size > 0) {
          expect(run.faults.get(1)).toMatchObject({ code: 'too-long' });
          continue;
        }
        const { usage, reason } = finishOf(run, 1);
        expect(reason).toBe('length');
        expect(usage.promptTokens + usage.completionTokens).toBeLessThanOrEqual(60);
      }
    });

    it('counts a thought that is closed from the start as part of the prompt', async () => {
      const run = start({ slots: 1, reply: 'abc' });
      ask(run, 1, 'prompt', { thinkingBudgetTokens: 0, maxTokens: 2 });
      await run.finished(1);
      expect(finishOf(run, 1).usage).toMatchObject({ promptTokens: 6 + closing, completionTokens: 2, reasoningTokens: 0 });
      expect(textOf(run.eventsOf(1), 'answer')).toBe('ab');
    });

    it('ends at a stop string in the thought, even where its budget ends there too', async () => {
      const run = start({ slots: 1, reply: 'abSTOPcd' });
      ask(run, 1, 'prompt', { thinkingBudgetTokens: 6, stop: ['STOP'], stopScope: 'all' });
      await run.finished(1);
      expect(finishOf(run, 1)).toMatchObject({ reason: 'stop', rawText: 'ab' });
    });
  });

  it('refuses a bias on an end token beside a grammar, by name, since one of them would be dropped', async () => {
    const run = start({ slots: 1 });
    ask(run, 1, 'prompt', { grammar: { type: 'json' }, logitBias: { '0': -100 } });
    await run.finished(1);
    expect(run.faults.get(1)).toMatchObject({ code: 'unsupported', parameter: 'logit_bias' });
  });

  it('refuses a prompt as long as the context', async () => {
    const run = start({ slots: 1, contextTokens: 50 });
    ask(run, 1, 'p'.repeat(50));
    await run.finished(1);
    expect(run.faults.get(1)).toMatchObject({ code: 'too-long', promptTokens: 50 });
  });
});
