/** `npm run bench:train`: preset recommended beside preset tutorial at equal tokens. Ends with one line of JSON. */
import { openContext } from '../../src/cli/context.ts';
import { ensurePython } from '../../src/train/python-environment.ts';
import { requireTransformers, resolveModel } from '../../src/train/resolve-model.ts';
import { benchConfig } from '../serve/bench-model.ts';
import { writeResult } from '../serve/bench-report.ts';
import { describeMachine } from '../serve/machine.ts';
import { stopSignal } from '../serve/stop-signal.ts';
import { likelihoodDifference, meanNll, type SeedPair, verdictOf } from './likelihood-difference.ts';
import { type BenchDeps, measureBase, trainArm } from './train-arm.ts';
import { arms, differingSettings, readPlan, recipeOf } from './train-plan.ts';

const plan = readPlan(process.argv.slice(2));
const config = benchConfig();
const signal = stopSignal();
const report = (line: string): void => console.error(`▸ ${line}`);

const python = await ensurePython({ python: config.python, venv: config.venv, onStep: report, signal });
const base = await resolveModel(plan.base, null, { config, models: openContext(config).models, onStep: report, signal });
const deps: BenchDeps = { config, python, baseFolder: requireTransformers(base), report, signal };
const [tutorial, recommended] = arms;
const recipes = { tutorial: await recipeOf(tutorial, 1, plan), recommended: await recipeOf(recommended, 1, plan) };
const differs = differingSettings(recipes.tutorial, recipes.recommended);
console.log(
  `tutorial and recommended differ in: ${Object.entries(differs)
    .map(([name, [a, b]]) => `${name} (${String(a)}, ${String(b)})`)
    .join(', ')}`,
);

const baseNll = meanNll(await measureBase(recipes.tutorial, deps));
const pairs: SeedPair[] = [];
const runs = [];
for (const seed of plan.seeds) {
  const first = await trainArm(await recipeOf(tutorial, seed, plan), `tutorial, seed ${seed}`, deps);
  const second = await trainArm(await recipeOf(recommended, seed, plan), `recommended, seed ${seed}`, deps);
  if (first.trainRows !== second.trainRows || first.steps !== second.steps)
    throw new Error('The arms did not train on the same rows and steps.');
  pairs.push({ seed, first: first.likelihood, second: second.likelihood });
  runs.push({ seed, tutorial: first, recommended: second });
  console.log(
    `seed ${seed}: held-out nats a token ${meanNll(first.likelihood).toFixed(4)} tutorial, ${meanNll(second.likelihood).toFixed(4)} recommended (base ${baseNll.toFixed(4)})`,
  );
}
const difference = likelihoodDifference(pairs);
const verdict = verdictOf(difference, [tutorial, recommended]);
console.log(verdict);
const file = await writeResult(plan.size === 'cpu' ? 'train' : `train-${plan.size}`, new Date().toISOString(), {
  date: new Date().toISOString(),
  machine: await describeMachine(),
  plan,
  settingsThatDiffer: differs,
  baseNatsPerToken: baseNll,
  difference,
  verdict,
  runs,
});
console.log(`written to ${file}`);
const { overRows, overSeeds } = difference;
console.log(
  JSON.stringify({
    base: Number(baseNll.toFixed(4)),
    differenceNatsPerToken: overRows.isEstimable ? Number(overRows.mean.toFixed(4)) : null,
    overRows: overRows.isEstimable ? [overRows.low, overRows.high].map((bound) => Number(bound.toFixed(4))) : null,
    overSeeds: overSeeds.isEstimable ? [overSeeds.low, overSeeds.high].map((bound) => Number(bound.toFixed(4))) : null,
    bySeed: Object.fromEntries(difference.bySeed.map(({ seed, difference: value }) => [seed, Number(value.toFixed(4))])),
    steps: plan.steps,
    verdict,
  }),
);
// The store's idle handle must not hold a finished program.
process.exit(0);
