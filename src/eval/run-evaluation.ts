import type { Clock } from '../core/clock.ts';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_ENGINE_FAILED, OSLER_ERR_ENGINE_NOT_READY, OSLER_ERR_UPSTREAM_FAILED } from '../core/errors.ts';
import { deriveSeed } from '../core/rng.ts';
import type { Question } from '../core/schema/question.ts';
import type { TemplateMessage } from '../engine/chat-history.ts';
import type { ChatTemplate } from '../engine/chat-template.ts';
import { defaultSampling, type Engine, type EngineEvent } from '../engine/engine.ts';
import { gatherAnswer } from '../engine/gathered-answer.ts';
import { askItem } from './ask-item.ts';
import { digestOfItem } from './item-digest.ts';
import type { EvaluationPlan } from './plan.ts';
import { recordKey, type SampleLog } from './sample-log.ts';
import type { Arm, EvaluationRecord } from './schema/sample.ts';

const arms: readonly Arm[] = ['base', 'tuned'];
/** Jobs of one arm before the other's turn: long enough to keep all slots busy, short enough for a running comparison. */
const blockPerSlot = 4;
const maxTries = 3;

export interface RunEvaluationDeps {
  readonly engines: Readonly<Record<Arm, Engine>>;
  readonly templates: Readonly<Record<Arm, ChatTemplate>>;
  readonly clock: Clock;
  readonly log: SampleLog;
  readonly onProgress?: ((done: number, total: number, record: EvaluationRecord | null) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Job {
  readonly kind: EvaluationRecord['kind'];
  readonly task: string;
  readonly item: Question;
  readonly arm: Arm;
  readonly attempt: number;
}

/**
 * Runs what the plan asks for and the log does not hold yet: both arms in turns, block by block, never at the same time.
 * Every record is appended at once; on abort what runs is dropped and what is done is kept.
 */
export async function runEvaluation(plan: EvaluationPlan, deps: RunEvaluationDeps): Promise<void> {
  const all = listJobs(plan);
  const done = new Set(deps.log.records.map((record) => recordKey(record)));
  const open = all.filter((job) => !done.has(recordKey({ ...job, itemId: job.item.id })));
  let finished = all.length - open.length;
  deps.onProgress?.(finished, all.length, null);
  const slots = { base: (await deps.engines.base.ready()).slots, tuned: (await deps.engines.tuned.ready()).slots };
  for (const block of blocksOf(open, slots)) {
    await runPool(block.jobs, block.jobs[0]?.kind === 'likelihood' ? 1 : slots[block.arm], async (job) => {
      const record = await runJob(plan, job, deps);
      deps.log.append(record);
      finished += 1;
      deps.onProgress?.(finished, all.length, record);
    });
  }
}

function listJobs(plan: EvaluationPlan): Job[] {
  const jobs: Job[] = [];
  for (const { task, items, measures } of plan.tasks) {
    for (const kind of measures) {
      const attempts = kind === 'generation' ? plan.settings.attempts : 1;
      for (const item of items)
        for (let attempt = 0; attempt < attempts; attempt += 1) for (const arm of arms) jobs.push({ kind, task, item, arm, attempt });
    }
  }
  return jobs;
}

/** Cuts the jobs into blocks of one arm and kind each, arms in turns. */
function blocksOf(jobs: readonly Job[], slots: Readonly<Record<Arm, number>>): { arm: Arm; jobs: Job[] }[] {
  const blocks: { arm: Arm; jobs: Job[] }[] = [];
  for (const kind of ['generation', 'likelihood'] as const) {
    const queues = new Map(arms.map((arm) => [arm, jobs.filter((job) => job.kind === kind && job.arm === arm)]));
    while ([...queues.values()].some((queue) => queue.length > 0)) {
      for (const [arm, queue] of queues) if (queue.length > 0) blocks.push({ arm, jobs: queue.splice(0, slots[arm] * blockPerSlot) });
    }
  }
  return blocks;
}

/** Throws the first failure once all work has ended: nothing may append to the log after that, nor begin anew. */
async function runPool(jobs: readonly Job[], width: number, work: (job: Job) => Promise<void>): Promise<void> {
  const open = [...jobs];
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: Math.min(width, jobs.length) }, async () => {
      try {
        for (let job = open.shift(); job !== undefined; job = open.shift()) await work(job);
      } catch (error) {
        open.length = 0;
        failures.push(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

/** An engine that died is waited for: its own restart loses the attempt, not the evaluation. */
async function runJob(plan: EvaluationPlan, job: Job, deps: RunEvaluationDeps): Promise<EvaluationRecord> {
  for (let attempt = 1; ; attempt += 1) {
    deps.signal?.throwIfAborted();
    try {
      return job.kind === 'generation' ? await generate(plan, job, deps) : await score(plan, job, deps);
    } catch (error) {
      const isLost = [OSLER_ERR_ENGINE_FAILED, OSLER_ERR_ENGINE_NOT_READY, OSLER_ERR_UPSTREAM_FAILED].some(
        (known) => error instanceof known,
      );
      if (!isLost || attempt >= maxTries) throw error;
      await deps.engines[job.arm].ready();
    }
  }
}

function messagesOf(plan: EvaluationPlan, job: Job): TemplateMessage[] {
  const { systemPrompt } = plan.settings;
  return [
    ...(systemPrompt === null ? [] : [{ role: 'system' as const, content: systemPrompt }]),
    { role: 'user', content: askItem(job.item) },
  ];
}

function commonOf(plan: EvaluationPlan, job: Job, deps: RunEvaluationDeps, startedSeconds: number) {
  return {
    schemaVersion: 1 as const,
    evaluationId: plan.evaluationId,
    arm: job.arm,
    task: job.task,
    itemId: job.item.id,
    itemDigest: digestOfItem(job.item),
    seconds: deps.clock.monotonicSeconds() - startedSeconds,
    at: deps.clock.now().toISOString(),
  };
}

async function generate(plan: EvaluationPlan, job: Job, deps: RunEvaluationDeps): Promise<EvaluationRecord> {
  const { settings } = plan;
  const messages = messagesOf(plan, job);
  const prompt = deps.templates[job.arm].render(messages);
  // The same seed for both arms: one source of chance less between them.
  const seed = deriveSeed(settings.seed, job.task, job.item.id, job.attempt);
  const startedSeconds = deps.clock.monotonicSeconds();
  const events: EngineEvent[] = [];
  const generation = deps.engines[job.arm].generate(
    {
      prompt: prompt.text,
      isThoughtPreopened: prompt.isThoughtPreopened,
      isThinkingEnabled: prompt.isThinkingEnabled,
      maxTokens: settings.thinkingBudgetTokens === null ? null : settings.thinkingBudgetTokens + settings.answerBudgetTokens,
      thinkingBudgetTokens: settings.thinkingBudgetTokens,
      sampling: { ...defaultSampling, temperature: settings.temperature, topP: settings.topP },
      seed,
      stop: [],
      stopScope: 'content',
      chat: { messages },
    },
    deps.signal,
  );
  for await (const event of generation) events.push(event);
  const { thought, answer, closed, finish } = gatherAnswer(events);
  if (finish === undefined) throw new OSLER_ERR_ENGINE_FAILED(job.arm, 'it ended without a finish event');
  return {
    kind: 'generation',
    ...commonOf(plan, job, deps, startedSeconds),
    attempt: job.attempt,
    seed,
    promptDigest: sha256(prompt.text),
    thought,
    answer,
    thoughtTokens: finish.usage.reasoningTokens,
    answerTokens: finish.usage.completionTokens - finish.usage.reasoningTokens,
    thoughtClosed: closed,
    finishReason: finish.reason,
  };
}

/** Scores the reference as training writes it: thought, closing tag, answer. The tag itself is not counted. */
async function score(plan: EvaluationPlan, job: Job, deps: RunEvaluationDeps): Promise<EvaluationRecord> {
  const engine = deps.engines[job.arm];
  const startedSeconds = deps.clock.monotonicSeconds();
  const thought = job.item.reasoning ?? '';
  const answer = job.item.answer_text ?? '';
  const scores = await engine.score(deps.templates[job.arm].render(messagesOf(plan, job)).text, [
    thought,
    `\n${engine.tags.close}\n\n`,
    answer,
  ]);
  const [thoughtScore, , answerScore] = scores;
  if (thoughtScore === undefined || answerScore === undefined) throw new OSLER_ERR_ENGINE_FAILED(job.arm, 'it gave no scores');
  return {
    kind: 'likelihood',
    ...commonOf(plan, job, deps, startedSeconds),
    thoughtNll: Math.max(0, thoughtScore.nll),
    thoughtTokens: thoughtScore.tokens,
    answerNll: Math.max(0, answerScore.nll),
    answerTokens: answerScore.tokens,
  };
}
