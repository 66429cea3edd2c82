import { describe, expect, it } from 'vitest';
import { designs } from '../../../simulation/designs.ts';
import { measureIntervals } from '../../../simulation/error-rates.ts';
import { EvaluationSimulator } from '../../../simulation/evaluation-simulator.ts';
import { attemptsOutcome } from '../../../simulation/outcome.ts';
import { simulateStatistics } from '../../../simulation/simulate-statistics.ts';

const draws = 1000;
const uneven = designs.find(({ name }) => name === '5 of 20, 45 of 2; correlation 0.2; 4 attempts');

describe('the statistics on simulated evaluations, as npm run test:statistics has them at length', () => {
  it('keep error rates, coverage and power', { timeout: 120_000 }, () => {
    const figures = [...simulateStatistics(draws, 20_261_124)];
    expect(figures.length).toBeGreaterThan(250);
    const missed = figures.filter(({ value, bar }) => {
      if (bar === null) return false;
      // Three standard errors of a share of this many draws.
      const noiseAt = (share: number): number => 3 * Math.sqrt((share * (1 - share)) / draws);
      return value < bar[0] - noiseAt(bar[0]) || value > bar[1] + noiseAt(bar[1]);
    });
    expect(missed).toEqual([]);
  });

  it('show that the textbook formula is bold where few clusters hold most items', () => {
    if (uneven === undefined) throw new Error('the design is gone');
    const measure = (correction?: 'plain') =>
      measureIntervals(new EvaluationSimulator(uneven.none, uneven, 1), { draws: 5000, truth: 0, ...(correction && { correction }) });
    expect(measure('plain').excludesZero).toBeGreaterThan(0.07);
    expect(measure().excludesZero).toBeLessThan(0.06);
  });
});

describe('EvaluationSimulator', () => {
  it('draws items with the mean, variance and correlation that are asked for', () => {
    const outcome = attemptsOutcome(2, [
      { base: 0.3, tuned: 0.5 },
      { base: 0.6, tuned: 0.7 },
    ]);
    expect(outcome.mean).toBeCloseTo(0.15, 12);
    // ω² + (σ_B² + σ_T²)/K
    expect(outcome.variance).toBeCloseTo(0.0025 + ((0.21 + 0.24) / 2 + (0.25 + 0.21) / 2) / 2, 12);
    const simulator = new EvaluationSimulator(outcome, { sizes: new Uint16Array(20_000).fill(4), correlation: 0.4 }, 7);
    simulator.draw();
    expect(simulator.mean).toBeCloseTo(0.15, 1);
    const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
    expect(sum(simulator.squares) / 80_000 / outcome.variance).toBeCloseTo(1, 1);
    const products = sum(simulator.sums.map((value) => value ** 2)) - sum(simulator.squares);
    expect(products / (20_000 * 12) / outcome.variance).toBeCloseTo(0.4, 1);
  });
});
