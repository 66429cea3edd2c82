import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { OSLER_ERR_ENGINE_FAILED, OSLER_ERR_REQUEST_TOO_LONG } from '../../../src/core/errors.ts';
import { deriveSeed } from '../../../src/core/rng.ts';
import { Question } from '../../../src/core/schema/question.ts';
import { ChatTemplate } from '../../../src/engine/chat-template.ts';
import type { GenerateRequest, Generation, SegmentScore } from '../../../src/engine/engine.ts';
import { ScriptedEngine, type ScriptedEngineOptions } from '../../../src/engine/scripted/scripted-engine.ts';
import type { EvaluationPlan } from '../../../src/eval/plan.ts';
import { runEvaluation, type RunEvaluationDeps } from '../../../src/eval/run-evaluation.ts';
import { recordKey, SampleLog } from '../../../src/eval/sample-log.ts';
import type { Arm } from '../../../src/eval/schema/sample.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { fixtureInput, fixtureItem, fixtureSettings } from './evaluation-fixture.ts';

const template = new ChatTemplate({
  owner: 'tuned',
  source: "{% for m in messages %}{{ m.role }}: {{ m.content + '\n' }}{% endfor %}{{ '<think>\n' }}",
  bosToken: '',
  eosToken: '',
});
const open = (id: string): Question =>
  Question.parse({ id, question: `Why ${id}?`, reasoning: 'Because of this.', answer_text: 'So it is.' });

function planOf(settings: Partial<EvaluationPlan['settings']> = {}): EvaluationPlan {
  return {
    schemaVersion: 1,
    evaluationId: 'eval-1',
    createdAt: '2026-11-23T10:00:00.000Z',
    settings: { ...fixtureSettings, attempts: 2, ...settings },
    arms: fixtureInput().arms,
    tasks: [
      { task: 'mini', measures: ['generation'], items: [fixtureItem('a'), fixtureItem('b'), fixtureItem('c')] },
      { task: 'mini-open', measures: ['likelihood'], items: [open('d'), open('e')] },
    ],
    trainingQuestions: null,
  };
}
/** 3 items × 2 attempts × 2 arms, and 2 items × 2 arms. */
const totalRecords = 16;

/** What the engines of both arms were asked, and what ran when. */
class Watch {
  readonly requests: (GenerateRequest & { arm: Arm })[] = [];
  readonly scores: { arm: Arm; prompt: string; segments: readonly string[] }[] = [];
  readonly running: Record<Arm, number> = { base: 0, tuned: 0 };
  readonly mostRunning: Record<Arm, number> = { base: 0, tuned: 0 };
  hasOverlapped = false;

  begin(arm: Arm): void {
    this.running[arm] += 1;
    this.mostRunning[arm] = Math.max(this.mostRunning[arm], this.running[arm]);
    this.hasOverlapped ||= this.running.base > 0 && this.running.tuned > 0;
  }

  end(arm: Arm): void {
    this.running[arm] -= 1;
  }
}

/** A scripted engine that is watched, and may be made to fail before it says a word. */
class WatchedEngine extends ScriptedEngine {
  readonly #arm: Arm;
  readonly #watch: Watch;
  readonly #failure: (request: GenerateRequest) => Error | undefined;

  constructor(arm: Arm, watch: Watch, options: Partial<ScriptedEngineOptions> & { failure?: WatchedEngine['failure'] }) {
    super({ reply: () => 'I think so.</think>\n\nAnswer: B', slots: 2, ...options });
    this.#arm = arm;
    this.#watch = watch;
    this.#failure = options.failure ?? (() => undefined);
  }

  get failure(): (request: GenerateRequest) => Error | undefined {
    return this.#failure;
  }

  override generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    const generation = super.generate(request, signal);
    const [arm, watch, failure] = [this.#arm, this.#watch, this.#failure];
    watch.requests.push({ ...request, arm });
    return {
      answerNow: () => generation.answerNow(),
      async *[Symbol.asyncIterator]() {
        watch.begin(arm);
        try {
          const error = failure(request);
          if (error !== undefined) throw error;
          yield* generation;
        } finally {
          watch.end(arm);
        }
      },
    };
  }

  override async score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    this.#watch.begin(this.#arm);
    this.#watch.scores.push({ arm: this.#arm, prompt, segments });
    await new Promise((resolve) => void setImmediate(resolve));
    this.#watch.end(this.#arm);
    return super.score(prompt, segments);
  }
}

interface SetUp {
  readonly watch: Watch;
  readonly deps: RunEvaluationDeps;
}

type EngineChanges = Partial<ScriptedEngineOptions> & { failure?: (request: GenerateRequest) => Error | undefined };

async function setUp(changes: Partial<RunEvaluationDeps> = {}, engine: EngineChanges = {}): Promise<SetUp> {
  const watch = new Watch();
  const deps = {
    engines: { base: new WatchedEngine('base', watch, engine), tuned: new WatchedEngine('tuned', watch, engine) },
    templates: { base: template, tuned: template },
    clock: systemClock,
    log: changes.log ?? (await SampleLog.open(path.join(temporaryFolder(), 'samples.jsonl'))),
    ...changes,
  };
  return { watch, deps };
}

const keysOf = (log: SampleLog): string[] => log.records.map((record) => recordKey(record)).toSorted();

describe('runEvaluation', () => {
  it('records every item, attempt and arm once', async () => {
    const { deps } = await setUp();
    await runEvaluation(planOf(), deps);
    const keys = keysOf(deps.log);
    expect(keys).toHaveLength(totalRecords);
    expect(new Set(keys).size).toBe(totalRecords);
    const counts = Map.groupBy(deps.log.records, ({ kind, arm }) => `${kind} ${arm}`);
    expect(Object.fromEntries([...counts].map(([key, records]) => [key, records.length]))).toEqual({
      'generation base': 6,
      'generation tuned': 6,
      'likelihood base': 2,
      'likelihood tuned': 2,
    });
  });

  it('gives both arms the same prompts and seeds, and every attempt a seed of its own', async () => {
    const { watch, deps } = await setUp();
    await runEvaluation(planOf(), deps);
    const requestsOf = (arm: Arm): string[] =>
      watch.requests.filter((request) => request.arm === arm).map(({ arm: _arm, ...request }) => JSON.stringify(request));
    expect(requestsOf('tuned').toSorted()).toEqual(requestsOf('base').toSorted());
    expect(new Set(watch.requests.map(({ seed }) => seed)).size).toBe(6);
    expect(watch.requests.map(({ seed }) => seed)).toContain(deriveSeed(3407, 'mini', 'b', 1));
    expect(watch.scores.filter(({ arm }) => arm === 'tuned').map(({ arm: _arm, ...rest }) => rest)).toEqual(
      watch.scores.filter(({ arm }) => arm === 'base').map(({ arm: _arm, ...rest }) => rest),
    );
  });

  it('asks within the plan’s budgets and sampling, after its system prompt', async () => {
    const { watch, deps } = await setUp();
    await runEvaluation(
      planOf({ thinkingBudgetTokens: 128, answerBudgetTokens: 64, temperature: 0, topP: 1, systemPrompt: 'Be brief.' }),
      deps,
    );
    expect(watch.requests[0]).toMatchObject({
      maxTokens: 192,
      thinkingBudgetTokens: 128,
      sampling: { temperature: 0, topP: 1 },
      stop: [],
      isThoughtPreopened: true,
    });
    for (const { prompt } of watch.requests) expect(prompt).toMatch(/^system: Be brief\.\nuser: What is the treatment/);
    const { watch: unbounded, deps: others } = await setUp();
    await runEvaluation(planOf({ thinkingBudgetTokens: null }), others);
    expect(unbounded.requests[0]).toMatchObject({ maxTokens: null, thinkingBudgetTokens: null });
  });

  it('keeps what the model said, with its tokens and how it ended', async () => {
    const { watch, deps } = await setUp();
    await runEvaluation(planOf(), deps);
    const sample = deps.log.records.find((record) => record.kind === 'generation');
    expect(sample).toMatchObject({
      evaluationId: 'eval-1',
      thought: 'I think so.',
      answer: 'Answer: B',
      thoughtTokens: 3,
      answerTokens: 2,
      thoughtClosed: 'model',
      finishReason: 'stop',
    });
    expect(watch.requests.map(({ prompt }) => sha256(prompt))).toContain(sample?.promptDigest);
  });

  it('scores the reference thought and answer, and leaves the tag between them out', async () => {
    const { watch, deps } = await setUp();
    await runEvaluation(planOf(), deps);
    expect(watch.scores[0]).toEqual({
      arm: 'base',
      prompt: 'user: Why d?\n<think>\n',
      segments: ['Because of this.', '\n</think>\n\n', 'So it is.'],
    });
    expect(deps.log.records.find((record) => record.kind === 'likelihood')).toMatchObject({
      thoughtNll: 4,
      thoughtTokens: 3,
      answerNll: 2.25,
      answerTokens: 3,
    });
  });

  it('never runs both arms at the same time, and no more at once than an engine has slots', async () => {
    for (const slots of [1, 3]) {
      const { watch, deps } = await setUp({}, { slots });
      await runEvaluation(planOf({ attempts: 5 }), deps);
      expect(watch.hasOverlapped).toBe(false);
      expect(watch.mostRunning).toEqual({ base: slots, tuned: slots });
    }
  });

  it('lets the arms take turns, so that a comparison grows as it runs', async () => {
    const { watch, deps } = await setUp({}, { slots: 1 });
    await runEvaluation(planOf({ attempts: 4 }), deps);
    const turns = watch.requests.map(({ arm }) => arm).filter((arm, index, arms) => arm !== arms[index - 1]);
    expect(turns).toEqual(['base', 'tuned', 'base', 'tuned', 'base', 'tuned']);
  });

  it('reports progress from where it begins to the end', async () => {
    const seen: [number, number][] = [];
    const { deps } = await setUp({ onProgress: (done, total) => seen.push([done, total]) });
    await runEvaluation(planOf(), deps);
    expect(seen).toEqual(Array.from({ length: totalRecords + 1 }, (_value, done) => [done, totalRecords]));
    await runEvaluation(planOf(), { ...deps, onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([totalRecords, totalRecords]);
    expect(seen).toHaveLength(totalRecords + 2);
  });
});

describe('runEvaluation: interruption', () => {
  it('keeps what is done at any point of abort, and a second call completes it with no record lost or repeated', async () => {
    // Two words only: every word costs a turn of the event loop.
    const reply = (): string => 'So.</think> B';
    const { deps: whole } = await setUp({}, { reply });
    await runEvaluation(planOf(), whole);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.oneof(fc.record({ afterRecords: fc.nat(totalRecords) }), fc.record({ afterRequests: fc.integer({ min: 1, max: 12 }) })),
        async (slots, point) => {
          const file = path.join(temporaryFolder(), 'samples.jsonl');
          const controller = new AbortController();
          let requests = 0;
          const { deps, watch } = await setUp(
            {
              log: await SampleLog.open(file),
              signal: controller.signal,
              onProgress: (done) => {
                if ('afterRecords' in point && done === point.afterRecords) controller.abort();
              },
            },
            {
              slots,
              reply,
              failure: () => {
                requests += 1;
                if ('afterRequests' in point && requests === point.afterRequests) controller.abort();
                return undefined;
              },
            },
          );
          const outcome = await runEvaluation(planOf(), deps).then(
            () => 'ended',
            () => 'aborted',
          );
          expect(outcome === 'aborted' || deps.log.records.length === totalRecords).toBe(true);
          expect(watch.running).toEqual({ base: 0, tuned: 0 });
          const kept = deps.log.records.map((record) => JSON.stringify(record));
          deps.log.close();
          const log = await SampleLog.open(file);
          expect(log.records.map((record) => JSON.stringify(record))).toEqual(kept);
          const { deps: again, watch: second } = await setUp({ log }, { slots, reply });
          await runEvaluation(planOf(), again);
          expect(log.records.slice(0, kept.length).map((record) => JSON.stringify(record))).toEqual(kept);
          expect(keysOf(log)).toEqual(keysOf(whole.log));
          expect(second.requests.length + second.scores.length).toBe(totalRecords - kept.length);
          log.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('asks nothing where the signal has aborted before', async () => {
    const { watch, deps } = await setUp({ signal: AbortSignal.abort(new Error('interrupted')) });
    await expect(runEvaluation(planOf(), deps)).rejects.toThrow('interrupted');
    expect([watch.requests, deps.log.records]).toEqual([[], []]);
  });

  it('asks nothing of a finished evaluation', async () => {
    const { deps } = await setUp();
    await runEvaluation(planOf(), deps);
    const { watch, deps: again } = await setUp({ log: deps.log });
    await runEvaluation(planOf(), again);
    expect([watch.requests, watch.scores]).toEqual([[], []]);
  });

  it('leaves nothing running when it gives up: all records are written before it throws', async () => {
    // The engine that fails at one item takes its time with the others.
    const { watch, deps } = await setUp(
      {},
      { slots: 3, wordMs: 4, failure: ({ seed }) => (seed === deriveSeed(3407, 'mini', 'a', 0) ? new Error('a bug') : undefined) },
    );
    await expect(runEvaluation(planOf(), deps)).rejects.toThrow('a bug');
    expect(watch.running).toEqual({ base: 0, tuned: 0 });
    const { length } = deps.log.records;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(deps.log.records).toHaveLength(length);
    // What ran beside the failed one is kept, and nothing new was begun.
    expect(length).toBe(2);
    expect(watch.requests).toHaveLength(3);
  });
});

describe('runEvaluation: failures', () => {
  it('asks again after an engine has died once, and records each attempt once', async () => {
    const died = new Set<number>();
    const { watch, deps } = await setUp(
      {},
      {
        failure: ({ seed }) => {
          if (died.has(seed)) return undefined;
          died.add(seed);
          return new OSLER_ERR_ENGINE_FAILED('tuned', 'its process ended');
        },
      },
    );
    await runEvaluation(planOf(), deps);
    expect(new Set(keysOf(deps.log)).size).toBe(totalRecords);
    expect(deps.log.records).toHaveLength(totalRecords);
    // One more try for each of the six seeds, in the arm that came first.
    expect(watch.requests).toHaveLength(12 + 6);
  });

  it('gives up after three deaths at one item', async () => {
    const { watch, deps } = await setUp({}, { slots: 1, failure: () => new OSLER_ERR_ENGINE_FAILED('base', 'its process ended') });
    await expect(runEvaluation(planOf(), deps)).rejects.toMatchObject({ code: 'OSLER_ERR_ENGINE_FAILED' });
    expect(watch.requests).toHaveLength(3);
    expect(deps.log.records).toEqual([]);
  });

  it('does not ask again where the request itself cannot be served', async () => {
    const { watch, deps } = await setUp({}, { slots: 1, failure: () => new OSLER_ERR_REQUEST_TOO_LONG(9000, 'base', 4096) });
    await expect(runEvaluation(planOf(), deps)).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_TOO_LONG' });
    expect(watch.requests).toHaveLength(1);
  });
});
