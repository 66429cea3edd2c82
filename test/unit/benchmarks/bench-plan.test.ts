import { describe, expect, it } from 'vitest';
import { readPlan, requestsOf } from '../../../benchmarks/serve/bench-plan.ts';

describe('readPlan', () => {
  it('measures everything without words', () => {
    expect(readPlan([])).toMatchObject({
      clients: [1, 4, 8, 16, 32],
      workloads: ['short', 'long', 'shared-prefix'],
      slots: 32,
      only: null,
      limitMinutes: null,
    });
  });

  it('--quick takes 1, 8 and 16 clients, short prompts, and keeps under five minutes', () => {
    const plan = readPlan(['--quick']);
    expect(plan).toMatchObject({ clients: [1, 8, 16], workloads: ['short'], slots: 16 });
    expect(plan.limitMinutes).toBeLessThan(5);
  });

  it('reads a profile of one server at one load', () => {
    const plan = readPlan(['--only', 'ours', '--clients', '8', '--rounds', '1', '--workloads', 'long,short']);
    expect(plan).toMatchObject({ only: 'ours', clients: [8], rounds: 1, slots: 8, workloads: ['long', 'short'] });
  });
});

describe('requestsOf', () => {
  it('gives every client at least two requests, so that the loop is closed, and one client enough to time', () => {
    expect([1, 4, 8, 16, 32].map((clients) => requestsOf({ requests: null }, clients))).toEqual([6, 12, 24, 32, 64]);
  });
});
