import { clusterVariance } from '../../src/eval/statistics/cluster-variance.ts';
import { studentTQuantile, studentTTwoSidedP } from '../../src/eval/statistics/distributions.ts';
import { planLooks } from '../../src/eval/statistics/group-sequential.ts';
import { testMcNemar } from '../../src/eval/statistics/mcnemar.ts';
import { decideNonInferiority } from '../../src/eval/statistics/non-inferiority.ts';
import { decideVerdict } from '../../src/eval/statistics/verdict.ts';
import { EvaluationSimulator } from './evaluation-simulator.ts';
import { binaryOutcome } from './outcome.ts';

const single = (count: number): Uint16Array => new Uint16Array(count).fill(1);

/** Share of evaluations without a true difference in which McNemar's p is at most 5 %. */
export function measureMcNemar(options: {
  readonly sizes: Uint16Array;
  readonly correlation: number;
  readonly discordance: number;
  readonly draws: number;
  readonly seed: number;
}): { readonly exact: number; readonly midP: number } {
  const { draws, seed, discordance, ...clustering } = options;
  const simulator = new EvaluationSimulator(binaryOutcome(discordance, 0), clustering, seed);
  const known = new Map<string, ReturnType<typeof testMcNemar>>();
  let [exact, midP] = [0, 0];
  for (let draw = 0; draw < draws; draw += 1) {
    simulator.draw();
    const key = `${simulator.lost} ${simulator.gained}`;
    const test = known.get(key) ?? testMcNemar(simulator.lost, simulator.gained);
    known.set(key, test);
    if (!test.isEstimable) continue;
    if (test.p <= 0.05) exact += 1;
    if (test.midP <= 0.05) midP += 1;
  }
  return { exact: exact / draws, midP: midP / draws };
}

/** How often a true difference of just the margin is called equivalent, and of just the bound not inferior: at most 5 % and 2.5 %. */
export function measureMargins(draws: number, seed: number): { readonly equivalence: number; readonly nonInferiority: number } {
  // Wide enough beside its standard error of 2.4 pp that the margin's other side plays no part.
  const [items, margin] = [500, 0.15];
  const simulator = new EvaluationSimulator(binaryOutcome(0.3, -margin), { sizes: single(items), correlation: 0 }, seed);
  const [wide, narrow] = [studentTQuantile(0.975, items - 1), studentTQuantile(0.95, items - 1)];
  let [equivalence, nonInferiority] = [0, 0];
  for (let draw = 0; draw < draws; draw += 1) {
    simulator.draw();
    const { mean } = simulator;
    const { standardError } = clusterVariance(simulator);
    const interval95 = { low: mean - wide * standardError, high: mean + wide * standardError };
    const interval90 = { low: mean - narrow * standardError, high: mean + narrow * standardError };
    if (decideNonInferiority({ interval95, bound: -margin, isHigherBetter: true }) === 'passed') nonInferiority += 1;
    if (decideVerdict({ interval95: null, interval90, margin, isHigherBetter: true }) === 'equivalent') equivalence += 1;
  }
  return { equivalence: equivalence / draws, nonInferiority: nonInferiority / draws };
}

/** Share of evaluations without a true difference that some look of a group-sequential plan stops; beside it the same without a plan. */
export function measureSequential(draws: number, seed: number): { readonly planned: number; readonly unplanned: number } {
  const fractions = [0.25, 0.5, 0.75, 1];
  const looks = planLooks(fractions);
  const [items, discordance] = [400, 0.3];
  const perLook = items / looks.length;
  // One draw gives the items of all looks: sums and squares of its parts.
  const simulator = new EvaluationSimulator(binaryOutcome(discordance, 0), { sizes: single(items), correlation: 0 }, seed);
  let [planned, unplanned] = [0, 0];
  for (let draw = 0; draw < draws; draw += 1) {
    simulator.draw();
    let [sum, square, done] = [0, 0, 0];
    let [isStopped, isStoppedUnplanned] = [false, false];
    for (const { nominalAlpha } of looks) {
      for (const end = done + perLook; done < end; done += 1) {
        const difference = (simulator.sums[done] ?? 0) + simulator.mean;
        sum += difference;
        square += difference ** 2;
      }
      const variance = (square - sum ** 2 / done) / (done - 1) / done;
      const p = studentTTwoSidedP(sum / done / Math.sqrt(variance), done - 1);
      isStopped ||= p <= nominalAlpha;
      isStoppedUnplanned ||= p <= 0.05;
    }
    if (isStopped) planned += 1;
    if (isStoppedUnplanned) unplanned += 1;
  }
  return { planned: planned / draws, unplanned: unplanned / draws };
}
