import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { adjustHolm } from '../../../../src/eval/statistics/holm.ts';
import { testMcNemar } from '../../../../src/eval/statistics/mcnemar.ts';
import { estimatePairedDifference } from '../../../../src/eval/statistics/paired-difference.ts';
import { wilsonInterval } from '../../../../src/eval/statistics/wilson.ts';

const root = join(import.meta.dirname, '../../../..');
const predictionsFile = join(root, '../shared/data/predictions/medqa_10_models.jsonl');
const python = process.env['OSLER_TEST_STATS_PYTHON'] ?? join(root, '.venv/bin/python');

const script = String.raw`
import json, sys
import numpy as np, scipy.stats as st, statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.multitest import multipletests
given = json.load(sys.stdin)
right = {name: np.array(row, dtype=float) for name, row in given["right"].items()}
groups = np.array(given["groups"])
pairs = []
names = list(right)
for i, base in enumerate(names):
    for tuned in names[i + 1:]:
        b, t = right[base], right[tuned]
        d = t - b
        lost, gained = int(((b == 1) & (t == 0)).sum()), int(((b == 0) & (t == 1)).sum())
        k, n = min(lost, gained), lost + gained
        # mid-p by direct summation of the definition: less extreme tables out, the observed one by half
        pmf = st.binom.pmf(np.arange(n + 1), n, 0.5)
        far = np.abs(np.arange(n + 1) - n / 2)
        mid = pmf[far > abs(k - n / 2) + 1e-9].sum() + pmf[np.abs(far - abs(k - n / 2)) <= 1e-9].sum() / 2
        plain = st.ttest_rel(t, b)
        ci = plain.confidence_interval(0.95)
        fit = sm.OLS(d, np.ones_like(d)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True, "df_correction": True}, use_t=True)
        low, high = fit.conf_int(0.05)[0]
        pairs.append({"base": base, "tuned": tuned, "mean": d.mean(), "low": ci.low, "high": ci.high, "p": plain.pvalue, "lost": lost, "gained": gained,
                      "mcnemar": mcnemar([[0, lost], [gained, 0]], exact=True).pvalue, "midP": mid,
                      "clusteredSe": fit.bse[0], "clusteredLow": low, "clusteredHigh": high, "clusteredP": fit.pvalues[0]})
wilson = {name: proportion_confint(row.sum(), len(row), 0.05, "wilson") for name, row in right.items()}
holm = multipletests([p["p"] for p in pairs], method="holm")[1].tolist()
print(json.dumps({"pairs": pairs, "wilson": wilson, "holm": holm}))
`;

const Reference = z.object({
  pairs: z.array(
    z.object({
      base: z.string(),
      tuned: z.string(),
      mean: z.number(),
      low: z.number(),
      high: z.number(),
      p: z.number(),
      lost: z.number(),
      gained: z.number(),
      mcnemar: z.number(),
      midP: z.number(),
      clusteredSe: z.number(),
      clusteredLow: z.number(),
      clusteredHigh: z.number(),
      clusteredP: z.number(),
    }),
  ),
  wilson: z.record(z.string(), z.tuple([z.number(), z.number()])),
  holm: z.array(z.number()),
});
const Row = z.object({ gold: z.string(), predictions: z.record(z.string(), z.object({ pred: z.string().nullable() })) });

function reasonToSkip(): string | null {
  if (!existsSync(predictionsFile)) return 'no ../shared/data/predictions';
  if (!existsSync(python)) return `no Python at ${python} (set OSLER_TEST_STATS_PYTHON)`;
  return spawnSync(python, ['-c', 'import scipy, statsmodels']).status === 0 ? null : `${python} has no scipy and statsmodels`;
}

const skipped = reasonToSkip();

describe('statistics on the 45 pairs of ten models, beside scipy and statsmodels', () => {
  it.skipIf(skipped !== null)(`agree to nine digits${skipped === null ? '' : ` (skipped: ${skipped})`}`, { timeout: 60_000 }, () => {
    const rows = readFileSync(predictionsFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => Row.parse(JSON.parse(line)));
    const models = Object.keys(rows[0]?.predictions ?? {});
    const right: Record<string, number[]> = Object.fromEntries(
      models.map((model) => [model, rows.map((row) => Number(row.predictions[model]?.pred === row.gold))]),
    );
    const groups = rows.map((_row, index) => (index * 7919) % 400);
    const run = spawnSync(python, ['-c', script], { input: JSON.stringify({ right, groups }), encoding: 'utf8', maxBuffer: 1e8 });
    expect(run.status, run.stderr).toBe(0);
    const reference = Reference.parse(JSON.parse(run.stdout));
    expect(reference.pairs).toHaveLength(45);

    const pValues = reference.pairs.map((pair) => {
      const base = right[pair.base] ?? [];
      const differences = (right[pair.tuned] ?? []).map((value, index) => value - (base[index] ?? 0));
      const plain = estimatePairedDifference(differences.map((difference, index) => ({ difference, cluster: String(index) })));
      const clustered = estimatePairedDifference(differences.map((difference, index) => ({ difference, cluster: String(groups[index]) })));
      const test = testMcNemar(
        differences.filter((difference) => difference < 0).length,
        differences.filter((difference) => difference > 0).length,
      );
      if (!plain.isEstimable || !clustered.isEstimable || !test.isEstimable)
        throw new Error(`${pair.base} and ${pair.tuned} were not estimable`);
      const name = `${pair.base} and ${pair.tuned}`;
      expect(test, name).toMatchObject({ lost: pair.lost, gained: pair.gained });
      for (const [ours, theirs] of [
        [plain.mean, pair.mean],
        [plain.low, pair.low],
        [plain.high, pair.high],
        [plain.p, pair.p],
        [test.p, pair.mcnemar],
        [test.midP, pair.midP],
        [clustered.standardError, pair.clusteredSe],
        [clustered.low, pair.clusteredLow],
        [clustered.high, pair.clusteredHigh],
        [clustered.p, pair.clusteredP],
      ] as const) {
        expect(Math.abs(ours - theirs), `${name}: ${ours} and ${theirs}`).toBeLessThan(1e-9 * Math.max(1e-3, Math.abs(theirs)));
      }
      return plain.p;
    });
    for (const [index, p] of adjustHolm(pValues).entries()) expect(p).toBeCloseTo(reference.holm[index] ?? Number.NaN, 10);
    for (const model of models) {
      const row = right[model] ?? [];
      const interval = wilsonInterval(
        row.reduce((sum, value) => sum + value, 0),
        row.length,
      );
      const [low, high] = reference.wilson[model] ?? [Number.NaN, Number.NaN];
      if (!interval.isEstimable) throw new Error('not estimable');
      expect(interval.low).toBeCloseTo(low, 10);
      expect(interval.high).toBeCloseTo(high, 10);
    }
  });
});
