import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { ProgressWriter } from '../../../src/eval/evaluation-progress.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { postChat, scriptedModel, type Service, startService } from '../support/service.ts';

/** The samples of /metrics: name with labels, to value. */
async function scrape(service: Service): Promise<Map<string, number>> {
  const { body } = await service.app.inject('/metrics');
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the time between tokens', () => {
  it('is measured between the pieces of one answer, streamed or not, and never across two', async () => {
    const service = await startService({ models: [scriptedModel({ reply: 'a b</think>\n\nc d e', wordMs: 20 })] });
    await postChat(service);
    await postChat(service, { stream: true });
    const samples = await scrape(service);
    // Five words each, the first of which ends no gap; the tag is no piece of its own.
    const count = samples.get('osler_inter_token_latency_seconds_count{model="tuned"}') ?? 0;
    expect(count).toBe(2 * 4);
    const sum = samples.get('osler_inter_token_latency_seconds_sum{model="tuned"}') ?? 0;
    expect(sum / count).toBeGreaterThan(0.015);
    expect(samples.get('osler_inter_token_latency_seconds_bucket{le="0.001",model="tuned"}')).toBe(0);
  });
});

describe('a request that is refused', () => {
  it('since its prompt is too long counts as such, and one that is no request counts nowhere', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 5 })] });
    expect((await postChat(service)).statusCode).toBe(400);
    expect((await postChat(service, { messages: [] })).statusCode).toBe(400);
    const samples = await scrape(service);
    const requests = [...samples].filter(([name]) => name.startsWith('osler_requests_total'));
    expect(requests).toEqual([['osler_requests_total{model="tuned",outcome="refused"}', 1]]);
  });
});

describe('a training under way', () => {
  const progress = (step: number, changes: Partial<Extract<TrainEvent, { type: 'progress' }>> = {}): string =>
    `${JSON.stringify({
      type: 'progress',
      at: '2026-11-23T10:00:00.000Z',
      step,
      totalSteps: 60,
      epoch: 0.5,
      loss: 2.5 - step / 100,
      learningRate: 0.0002,
      gradNorm: null,
      tokensPerSecond: 120,
      memoryBytes: null,
      etaSeconds: 90,
      ...changes,
    } satisfies TrainEvent)}\n`;

  it('shows its last step, and nothing once it has ended', async () => {
    const service = await startService();
    const { run } = service.trainings.create(await resolveRecipe({ preset: 'smoke' }));
    const { events } = service.trainings.folder(run.id);
    const gauges = async () => {
      const samples = await scrape(service);
      const names = ['step', 'total_steps', 'loss', 'tokens_per_second', 'eta_seconds'];
      return names.map((name) => samples.get(`osler_training_${name}{run="${run.id}"}`));
    };
    const none = [undefined, undefined, undefined, undefined, undefined];
    expect(await gauges()).toEqual(none);

    await mkdir(path.dirname(events), { recursive: true });
    await writeFile(events, progress(1) + progress(2));
    expect(await gauges()).toEqual([2, 60, 2.48, 120, 90]);
    // Far behind a long file's beginning, and before a line that is not yet written to its end.
    await appendFile(events, Array.from({ length: 1000 }, (_, index) => progress(3 + (index % 40))).join(''));
    await appendFile(events, progress(50, { tokensPerSecond: null, etaSeconds: null }) + progress(51).slice(0, 40));
    expect(await gauges()).toEqual([50, 60, 2, undefined, undefined]);

    service.trainings.cancel(run.id);
    expect(await gauges()).toEqual(none);
  });
});

describe('an evaluation under way', () => {
  it('shows how far it is, and nothing once its process is gone', async () => {
    const service = await startService();
    const folder = path.join(service.home, 'evaluations/eval-1');
    await mkdir(folder, { recursive: true });
    const gauges = async () => {
      const samples = await scrape(service);
      return ['records', 'planned_records'].map((name) => samples.get(`osler_evaluation_${name}{evaluation="eval-1"}`));
    };
    new ProgressWriter(folder).update(7, 256);
    const unlock = tryLockFolder(folder);
    await expect.poll(gauges).toEqual([7, 256]);
    unlock?.();
    expect(await gauges()).toEqual([undefined, undefined]);
  });
});
