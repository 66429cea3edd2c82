/**
 * `npm run test:statistics`: how often the intervals and tests of an evaluation are wrong, on 10,000 simulated evaluations of
 * each design. Prints every figure, then one JSON object with the lowest and highest of each group; ends with 1 where a bar is
 * missed. Seeded: the same figures every time.
 */
import { parseArgs } from 'node:util';
import { simulateStatistics, type Figure } from '../test/simulation/simulate-statistics.ts';

const { values } = parseArgs({ options: { draws: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20261124' } } });
const [draws, seed] = [Number(values.draws), Number(values.seed)];
if (!Number.isInteger(draws) || draws < 1 || !Number.isInteger(seed)) {
  console.error(`--draws "${values.draws}" and --seed "${values.seed}" have to be whole numbers, draws at least 1.`);
  process.exit(2);
}
const begun = performance.now();
const figures: Figure[] = [];
for (const figure of simulateStatistics(draws, seed)) {
  figures.push(figure);
  const { group, name, value, bar } = figure;
  const wanted = bar === null ? '' : `  ${percent(bar[0])} to ${percent(bar[1])}${isMissed(figure) ? '  MISSED' : ''}`;
  console.log(`${group.padEnd(22)} ${percent(value).padStart(7)}${wanted}  ${name}`);
}
const missed = figures.filter(isMissed).map(({ group, name, value }) => ({ group, name, value }));
const groups = Object.entries(Object.groupBy(figures, ({ group }) => group)).map(([group, entries = []]) => {
  const shares = entries.map(({ value }) => Number(value.toFixed(4)));
  const figuresOfGroup = {
    designs: shares.length,
    lowest: Math.min(...shares),
    highest: Math.max(...shares),
    bar: entries[0]?.bar ?? null,
  };
  return [group, figuresOfGroup] as const;
});
const seconds = Number(((performance.now() - begun) / 1000).toFixed(1));
console.log(JSON.stringify({ draws, seed, seconds, ...Object.fromEntries(groups), missed }));
if (missed.length > 0) process.exitCode = 1;

function isMissed({ value, bar }: Figure): boolean {
  return bar !== null && (value < bar[0] || value > bar[1]);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
