import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { cohensKappa } from '../../../../src/eval/statistics/cohens-kappa.ts';
import { planLooks } from '../../../../src/eval/statistics/group-sequential.ts';
import { adjustHolm } from '../../../../src/eval/statistics/holm.ts';
import { testMcNemar } from '../../../../src/eval/statistics/mcnemar.ts';
import { estimatePairedDifference } from '../../../../src/eval/statistics/paired-difference.ts';
import { wilsonInterval } from '../../../../src/eval/statistics/wilson.ts';
import { hasShared, readSharedRows } from '../../../support/shared-folder.ts';
import { statisticsPython, whyNoStatisticsPython } from '../../../support/statistics-python.ts';

const predictions = 'data/predictions/medqa_10_models.jsonl';
const script = path.join(import.meta.dirname, '../../../support/statistics-reference.py');
// Two looks: the integral of three takes scipy 15 s, so those bounds stand in the test of planLooks.
const fractions = [0.45, 1];

const Interval = z.object({ low: z.number(), high: z.number() });
const Reference = z.object({
  pairs: z.array(
    z.object({
      base: z.string(),
      tuned: z.string(),
      paired: Interval.extend({ mean: z.number(), p: z.number() }),
      paired90: Interval,
      counts: z.object({ lost: z.int(), gained: z.int() }),
      mcnemar: z.object({ p: z.number(), midP: z.number() }),
      clustered: Interval.extend({ se: z.number(), p: z.number() }),
      smallSample: Interval.extend({ se: z.number(), df: z.number(), p: z.number() }),
      kappa: Interval.extend({ kappa: z.number() }),
    }),
  ),
  wilson: z.record(z.string(), z.tuple([z.number(), z.number()])),
  holm: z.array(z.number()),
  sequential: z.array(z.number()),
});
interface Row {
  readonly gold: string;
  readonly predictions: Readonly<Record<string, { readonly pred: string | null }>>;
}

const skipReason = hasShared(predictions) ? await whyNoStatisticsPython() : `no ../shared/${predictions}`;
const suffix = skipReason === undefined ? '' : ` (skipped: ${skipReason})`;

describe('statistics on the 45 pairs of ten models', () => {
  it.skipIf(skipReason !== undefined)(`agree with scipy and statsmodels to 1e-9${suffix}`, { timeout: 120_000 }, async () => {
    const rows = readSharedRows<Row>(predictions);
    const models = Object.keys(rows[0]?.predictions ?? {});
    const right = Object.fromEntries(models.map((model) => [model, rows.map((row) => Number(row.predictions[model]?.pred === row.gold))]));
    // Clusters of 3 and 4 items.
    const groups = rows.map((_row, index) => (index * 7919) % 400);
    const run = await execa(statisticsPython, [script], { input: JSON.stringify({ right, groups, fractions }) });
    const reference = Reference.parse(JSON.parse(run.stdout));
    expect(reference.pairs).toHaveLength(45);

    const pValues = reference.pairs.map((pair) => {
      const name = `${pair.base} and ${pair.tuned}`;
      const [base, tuned] = [right[pair.base] ?? [], right[pair.tuned] ?? []];
      const differences = tuned.map((value, index) => value - (base[index] ?? 0));
      const inClusters = differences.map((difference, index) => ({ difference, cluster: String(groups[index]) }));
      const alone = differences.map((difference, index) => ({ difference, cluster: String(index) }));
      const paired = estimable(estimatePairedDifference(alone));
      const clustered = estimable(estimatePairedDifference(inClusters, 0.95, 'plain'));
      const smallSample = estimable(estimatePairedDifference(inClusters));
      const { lost, gained } = pair.counts;
      expect([differences.filter((value) => value < 0).length, differences.filter((value) => value > 0).length], name).toEqual([
        lost,
        gained,
      ]);
      const kappa = estimable(cohensKappa(base.map((value, index) => [String(value), String(tuned[index])] as const)));
      expectClose(name, paired, pair.paired);
      expectClose(name, estimable(estimatePairedDifference(alone, 0.9)), pair.paired90);
      expectClose(name, estimable(testMcNemar(lost, gained)), pair.mcnemar);
      expectClose(name, { ...clustered, se: clustered.standardError }, pair.clustered);
      expectClose(name, { ...smallSample, se: smallSample.standardError }, pair.smallSample);
      expectClose(name, { ...kappa, ...kappa.interval }, pair.kappa);
      return paired.p;
    });
    for (const [index, p] of adjustHolm(pValues).entries()) expectClose(`Holm ${index}`, { p }, { p: reference.holm[index] ?? -1 });
    for (const model of models) {
      const row = right[model] ?? [];
      const successes = row.reduce((sum, value) => sum + value, 0);
      const [low, high] = reference.wilson[model] ?? [-1, -1];
      expectClose(model, estimable(wilsonInterval(successes, row.length)), { low, high });
    }
    // What scipy integrates is right to about 1e-7.
    for (const [index, { bound }] of planLooks(fractions).entries()) expect(bound).toBeCloseTo(reference.sequential[index] ?? -1, 6);
  });
});

function estimable<T extends { readonly isEstimable: boolean }>(answer: T): Extract<T, { readonly isEstimable: true }> {
  if (!answer.isEstimable) throw new Error(JSON.stringify(answer));
  return answer as Extract<T, { readonly isEstimable: true }>; // just asked
}

/** To 1e-9 of the value, and of 1e-3 for what is smaller. */
function expectClose(name: string, ours: object, theirs: Readonly<Record<string, number>>): void {
  for (const [key, expected] of Object.entries(theirs)) {
    const value: unknown = Reflect.get(ours, key);
    const difference = typeof value === 'number' ? Math.abs(value - expected) : Infinity;
    expect(difference, `${key} of ${name}: ${String(value)} and ${expected}`).toBeLessThan(1e-9 * Math.max(1e-3, Math.abs(expected)));
  }
}
