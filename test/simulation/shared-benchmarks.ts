import { createRandom } from '../../src/core/rng.ts';
import { macroMean, sharedCovariance } from '../../src/eval/statistics/macro-mean.ts';
import { estimatePairedDifference, type PairedObservation } from '../../src/eval/statistics/paired-difference.ts';

/** How often the mean over two benchmarks that share 60 questions shows a difference that is not there, with their covariance and without. */
export function measureSharedBenchmarks(draws: number, seed: number): { readonly withCovariance: number; readonly without: number } {
  const random = createRandom(seed);
  // 30 % discordance.
  const drawItem = (): number => {
    const place = random();
    return place < 0.15 ? -1 : place < 0.3 ? 1 : 0;
  };
  const drawItems = (count: number, name: string): PairedObservation[] =>
    Array.from({ length: count }, (_, index) => ({ difference: drawItem(), cluster: `${name}${index}` }));
  let [withCovariance, without] = [0, 0];
  for (let draw = 0; draw < draws; draw += 1) {
    const common = drawItems(60, 'common');
    // Asked again, a question mostly goes as it went.
    const again = common.map(({ difference, cluster }) => ({ difference: random() < 0.8 ? difference : drawItem(), cluster }));
    const [one, other] = [
      [...common, ...drawItems(60, 'one')],
      [...again, ...drawItems(40, 'other')],
    ];
    const benchmarks = [estimatePairedDifference(one), estimatePairedDifference(other)].filter((estimate) => estimate.isEstimable);
    if (excludesZero(macroMean(benchmarks, 0.95, sharedCovariance(one, other)))) withCovariance += 1;
    if (excludesZero(macroMean(benchmarks))) without += 1;
  }
  return { withCovariance: withCovariance / draws, without: without / draws };
}

function excludesZero(mean: ReturnType<typeof macroMean>): boolean {
  return mean.isEstimable && (mean.low > 0 || mean.high < 0);
}
