import { expect, it } from 'vitest';
import { defaultSampling, type Engine, type EngineEvent, type GenerateRequest } from '../../src/engine/engine.ts';

/** A request with everything at its default. */
export function requestOf(prompt: string, changes: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    prompt,
    isThoughtPreopened: true,
    isThinkingEnabled: true,
    maxTokens: 48,
    thinkingBudgetTokens: null,
    sampling: defaultSampling,
    seed: 7,
    stop: [],
    stopScope: 'content',
    ...changes,
  };
}

/** All events of one generation. */
export async function collect(engine: Engine, request: GenerateRequest, signal?: AbortSignal): Promise<EngineEvent[]> {
  return await Array.fromAsync(engine.generate(request, signal));
}

export function textOf(events: readonly EngineEvent[], channel: 'thought' | 'answer'): string {
  return events.map((event) => (event.type === 'delta' ? event[channel] : '')).join('');
}

/** How long slots may work on for a request that was given up: 2000 tokens take the small model longer. */
const cancelMs = 2000;

/**
 * What every engine must do alike; called inside a `describe` with an engine and a prompt that ends with an open thought.
 * `hasRandomText`: another seed gives another text, which a script does not.
 */
export function describeEngineContract(
  engineOf: () => Engine,
  prompt: string,
  { canScore = true, hasRandomText = false }: { canScore?: boolean; hasRandomText?: boolean } = {},
): void {
  const writtenWith = async (seed: number): Promise<string> => {
    const events = await collect(engineOf(), requestOf(prompt, { seed }));
    return textOf(events, 'thought') + textOf(events, 'answer');
  };

  it('ends with one finish event whose usage adds up', async () => {
    const events = await collect(engineOf(), requestOf(prompt));
    const finishes = events.filter((event) => event.type === 'finish');
    expect(finishes).toHaveLength(1);
    const finish = events.at(-1);
    if (finish?.type !== 'finish') throw new Error('the last event is no finish');
    expect(finish.usage.promptTokens).toBeGreaterThan(0);
    expect(finish.usage.completionTokens).toBeGreaterThan(0);
    expect(finish.usage.completionTokens).toBeLessThanOrEqual(48);
    expect(finish.usage.reasoningTokens).toBeLessThanOrEqual(finish.usage.completionTokens);
  });

  it('never sends an empty delta and reports the close of a thought once', async () => {
    const events = await collect(engineOf(), requestOf(prompt, { thinkingBudgetTokens: 4 }));
    for (const event of events) if (event.type === 'delta') expect(event.thought + event.answer).not.toBe('');
    expect(events.filter((event) => event.type === 'thought-closed')).toHaveLength(1);
  });

  it('closes the thought at the budget and goes on with the answer', async () => {
    const events = await collect(engineOf(), requestOf(prompt, { thinkingBudgetTokens: 5 }));
    const closed = events.find((event) => event.type === 'thought-closed');
    expect(closed?.how).toBe('budget');
    expect(textOf(events, 'thought')).not.toBe('');
    expect(textOf(events, 'answer')).not.toBe('');
    // A second repeat by the model would be the answer's own text.
    expect(textOf(events, 'answer')).not.toMatch(/^\s*<\/think>/);
  });

  it('gives the raw text with each delta, tags and forced text included', async () => {
    const events = await collect(engineOf(), requestOf(prompt, { thinkingBudgetTokens: 5 }));
    const raw = events.map((event) => (event.type === 'delta' ? event.raw : '')).join('');
    const finish = events.at(-1);
    if (finish?.type !== 'finish') throw new Error('the last event is no finish');
    expect(raw).toContain('</think>');
    expect(finish.rawText.startsWith(raw)).toBe(true);
  });

  it('gives no thought at all under a budget of 0', async () => {
    const events = await collect(engineOf(), requestOf(prompt, { thinkingBudgetTokens: 0 }));
    expect(textOf(events, 'thought')).toBe('');
    expect(textOf(events, 'answer')).not.toBe('');
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('budget');
  });

  it('closes the thought when the client asks for the answer now', async () => {
    const generation = engineOf().generate(requestOf(prompt));
    const events: EngineEvent[] = [];
    for await (const event of generation) {
      events.push(event);
      generation.answerNow();
    }
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('client');
  });

  it('gives the same text for the same seed, one request at a time', async () => {
    const first = await writtenWith(11);
    expect(await writtenWith(11)).toBe(first);
  });

  it.runIf(hasRandomText)('gives another text for another seed', async () => {
    expect(await writtenWith(12)).not.toBe(await writtenWith(11));
  });

  it('stops at maxTokens with the reason length', async () => {
    const finish = (await collect(engineOf(), requestOf(prompt, { maxTokens: 3 }))).at(-1);
    expect(finish).toMatchObject({ type: 'finish', reason: 'length', usage: { completionTokens: 3 } });
  });

  it.each([
    [5, 5],
    [5, 6],
    [5, 7],
    [0, 1],
  ])('never exceeds its tokens by closing a thought: a budget of %i, at most %i', async (thinkingBudgetTokens, maxTokens) => {
    const finish = (await collect(engineOf(), requestOf(prompt, { thinkingBudgetTokens, maxTokens }))).at(-1);
    if (finish?.type !== 'finish') throw new Error('the last event is no finish');
    expect(finish.reason).toBe('length');
    expect(finish.usage.completionTokens).toBeLessThanOrEqual(maxTokens);
    expect(finish.usage.reasoningTokens).toBeLessThanOrEqual(finish.usage.completionTokens);
  });

  it('cancels at once when the signal aborts, and serves the next request', async () => {
    const controller = new AbortController();
    const seen: EngineEvent[] = [];
    await expect(async () => {
      for await (const event of engineOf().generate(requestOf(prompt, { maxTokens: 2000 }), controller.signal)) {
        seen.push(event);
        controller.abort();
      }
    }).rejects.toThrow(/abort/i);
    expect(seen.length).toBeLessThan(5);
    // The load is the engine's own count; its slots tell whether the work has ended too. Empty: it cannot say.
    const busySlots = async (): Promise<number> => (await engineOf().slots()).filter((slot) => slot.state !== 'idle').length;
    await expect.poll(busySlots, { timeout: cancelMs, interval: 10 }).toBe(0);
    expect((await collect(engineOf(), requestOf(prompt))).at(-1)?.type).toBe('finish');
    expect(engineOf().load.running).toBe(0);
  });

  it('serves several requests at once, each with its own text', async () => {
    const all = await Promise.all([1, 2, 3, 4].map((seed) => collect(engineOf(), requestOf(prompt, { seed }))));
    for (const events of all) expect(events.at(-1)?.type).toBe('finish');
    const texts = new Set(all.map((events) => textOf(events, 'thought') + textOf(events, 'answer')));
    if (hasRandomText) expect(texts.size).toBeGreaterThan(1);
  });

  it('refuses a prompt longer than the context, with its length', async () => {
    await expect(collect(engineOf(), requestOf('word '.repeat(20_000)))).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_TOO_LONG' });
  });

  it.runIf(!canScore)('refuses to score, by name', async () => {
    await expect(engineOf().score(prompt, ['A segment.'])).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
  });

  it.runIf(canScore)('scores segments: more tokens than none, and finite', async () => {
    const scores = await engineOf().score(prompt, ['A first segment.', ' And a second one.']);
    expect(scores).toHaveLength(2);
    for (const score of scores) {
      expect(score.tokens).toBeGreaterThan(0);
      expect(score.nll).toBeGreaterThan(0);
      expect(Number.isFinite(score.nll)).toBe(true);
    }
  });
}
