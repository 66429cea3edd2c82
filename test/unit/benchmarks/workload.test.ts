import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildBodies, type WorkloadName, workloadNames } from '../../../benchmarks/serve/workload.ts';

const Body = z.looseObject({ messages: z.array(z.object({ role: z.string(), content: z.string() })), seed: z.int(), max_tokens: z.int() });

function bodies(workload: WorkloadName, round = 0, clients = 8) {
  return buildBodies({ workload, round, clients, count: 48 });
}

function prompts(texts: readonly string[]): string[] {
  return texts.map((text) => JSON.stringify(Body.parse(JSON.parse(text)).messages));
}

function words(text: string): number {
  return text.split(/\s+/).length;
}

describe.each(workloadNames)('the workload %s', (workload) => {
  it('is the same for both servers and in every run', () => {
    expect(bodies(workload)).toEqual(bodies(workload));
  });

  it('asks no question twice within a round, nor again in another round or at another number of clients', () => {
    const all = [...bodies(workload), ...bodies(workload, 1), ...bodies(workload, 0, 16)];
    expect(new Set(prompts(all)).size).toBe(all.length);
  });

  it('gives every request a seed of its own and the whole of the sampling', () => {
    const parsed = bodies(workload).map((text) => Body.parse(JSON.parse(text)));
    expect(new Set(parsed.map((body) => body.seed)).size).toBe(parsed.length);
    expect(parsed[0]).toMatchObject({
      max_tokens: 64,
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.6,
      top_k: 40,
      top_p: 0.95,
      min_p: 0,
      repeat_penalty: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
    });
  });
});

describe('what the workloads share within', () => {
  const firstWords = (workload: WorkloadName): Set<string> => new Set(prompts(bodies(workload)).map((text) => text.slice(0, 400)));

  it('long prompts differ from their beginning on, so that no cache helps', () => {
    expect(firstWords('long').size).toBe(48);
  });

  it('shared-prefix prompts have one long beginning', () => {
    expect(firstWords('shared-prefix').size).toBe(1);
  });

  it('long and shared-prefix prompts are several times as long as short ones', () => {
    const mean = (workload: WorkloadName): number => prompts(bodies(workload)).reduce((sum, text) => sum + words(text), 0) / 48;
    expect(mean('short')).toBeLessThan(40);
    expect(mean('long')).toBeGreaterThan(250);
    expect(mean('shared-prefix')).toBeGreaterThan(300);
  });
});
