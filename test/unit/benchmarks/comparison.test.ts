import { describe, expect, it } from 'vitest';
import { holdAgainstBars } from '../../../benchmarks/serve/bars.ts';
import { summaryLine } from '../../../benchmarks/serve/bench-report.ts';
import { type Cell, figureOf, orderOf, otherCoresOf, ratioOf } from '../../../benchmarks/serve/comparison.ts';
import { renderCell } from '../../../benchmarks/serve/comparison-table.ts';
import type { Measurement } from '../../../benchmarks/serve/measurement.ts';

function measurement(tokensPerSecond: number, ttftP95 = 100): Measurement {
  return {
    tokensPerSecond,
    ttftMs: { p50: 50, p95: ttftP95, p99: 200 },
    interTokenMs: { p50: 5, p95: 6, p99: 7 },
    requests: 32,
    wallSeconds: 10,
    meanCompletionTokens: 64,
    endedEarly: 0,
    meanPromptTokens: 60,
    meanCachedTokens: 20,
    clientCores: 0.02,
    serverCores: 1.9,
    otherCores: 0.25,
  };
}

/** A load with the given throughputs, ours and theirs, a pair a round. */
function cell(clients: number, pairs: readonly [number, number][], ttft: [number, number] = [100, 100]): Cell {
  return {
    workload: 'short',
    clients,
    rounds: pairs.map(([ours, theirs], round) => ({
      round,
      order: orderOf(round, 0, null),
      measurements: { ours: measurement(ours, ttft[0]), 'llama-server': measurement(theirs, ttft[1]) },
    })),
  };
}

describe('ratios', () => {
  // The machine halves its speed in the second round: ratios of adjacent measurements do not see it, medians of each server would.
  const slowed = cell(8, [
    [100, 100],
    [60, 50],
    [110, 100],
  ]);

  it('are taken within each round, then the median and the spread over the rounds', () => {
    expect(ratioOf(slowed, 'throughput')).toEqual({ median: 1.1, min: 1, max: 1.2 });
    expect(figureOf(slowed, 'throughput', 'ours')).toEqual({ median: 100, min: 60, max: 110 });
  });

  it('are absent where only one server was measured', () => {
    const alone: Cell = { ...slowed, rounds: [{ round: 0, order: ['ours'], measurements: { ours: measurement(100) } }] };
    expect(ratioOf(alone, 'throughput')).toBeUndefined();
    expect(renderCell(alone)).toContain('100.0 [100.0, 100.0]');
  });

  it('stand in the table beside both servers’ medians', () => {
    expect(renderCell(slowed)).toMatch(
      /throughput, tokens\/s\s+100\.0 \[60\.0, 110\.0\]\s+100\.0 \[50\.0, 100\.0\]\s+1\.10 \[1\.00, 1\.20\]/,
    );
  });
});

describe('the order of the servers', () => {
  it('turns from round to round and from load to load', () => {
    expect([0, 1, 2].map((round) => orderOf(round, 0, null)[0])).toEqual(['ours', 'llama-server', 'ours']);
    expect(orderOf(0, 1, null)).toEqual(['llama-server', 'ours']);
  });

  it('has one place where one server is wanted', () => {
    expect(orderOf(1, 0, 'ours')).toEqual(['ours']);
  });
});

describe('the bars', () => {
  it('are met on their limits and missed just beyond', () => {
    const met = holdAgainstBars([cell(1, [[75, 100]]), cell(8, [[95, 100]], [110, 100])]);
    expect(met.map((bar) => [bar.figure, bar.clients, bar.isMet])).toEqual([
      ['throughput', 1, true],
      ['throughput', 8, true],
      ['ttftP95', 8, true],
    ]);
    const missed = holdAgainstBars([cell(1, [[74, 100]]), cell(8, [[94, 100]], [112, 100])]);
    expect(missed.every((bar) => !bar.isMet)).toBe(true);
  });

  it('on loads that were not measured are neither met nor missed', () => {
    expect(holdAgainstBars([cell(4, [[10, 100]])])).toEqual([]);
  });
});

it('tells how busy the machine was with other things', () => {
  expect(otherCoresOf([cell(1, [[80, 100]]), cell(8, [[99, 100]])])).toBe(0.25);
  expect(otherCoresOf([])).toBe(0);
});

describe('the last line', () => {
  it('is JSON with both ratios by number of clients', () => {
    const line = summaryLine([cell(1, [[80, 100]]), cell(8, [[99, 100]], [90, 120])], []);
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toMatchObject({ ratio: { throughput: { 1: 0.8, 8: 0.99 }, ttftP95: { 1: 1, 8: 0.75 } } });
  });
});
