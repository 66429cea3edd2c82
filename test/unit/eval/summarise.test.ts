import { describe, expect, it } from 'vitest';
import { Report } from '../../../src/eval/schema/report.ts';
import { summarise } from '../../../src/eval/summarise.ts';
import { fixtureInput, fixtureItem, fixtureLikelihood, fixtureSample, fixtureSettings, fixtureTask } from './evaluation-fixture.ts';

const repeat = (pair: string, times: number): string[] => Array<string>(times).fill(pair);
const task = (...letters: string[]) => fixtureInput(fixtureTask(letters));

// Expected numbers are from scipy.stats.ttest_1samp and statsmodels.
describe('summarise', () => {
  it('says that tuning made it worse, with the numbers', () => {
    const report = summarise(task(...repeat('BB', 30), ...repeat('BA', 16), ...repeat('AB', 2), ...repeat('AA', 12)));
    expect(report.verdict).toMatchObject({ kind: 'worse', metric: 'accuracy', secondarySentence: null });
    expect(report.verdict.sentence).toBe(
      'Tuning made it worse: accuracy on mini fell by 23.3 pp (95 % interval -36.2 to -10.4; 60 questions).',
    );
    expect(report.tasks[0]?.mcnemar).toMatchObject({ lost: 16, gained: 2 });
    expect(report.tasks[0]?.flips.lost).toHaveLength(16);
    expect(report.tasks[0]?.subjects).toEqual([
      { subject: 'Medicine', items: 60, accuracy: { base: 46 / 60, tuned: 32 / 60 }, differencePp: expect.closeTo(-23.333, 2) },
    ]);
  });

  it('turns the verdict round when the arms change places', () => {
    const report = summarise(task(...repeat('BB', 30), ...repeat('AB', 16), ...repeat('BA', 2), ...repeat('AA', 12)));
    expect(report.verdict.sentence).toBe(
      'Tuning made it better: accuracy on mini rose by 23.3 pp (95 % interval 10.4 to 36.2; 60 questions).',
    );
  });

  it('shows no difference with the smallest that could have been shown', () => {
    const report = summarise(task(...repeat('BB', 40), ...repeat('BA', 5), ...repeat('AB', 6), ...repeat('AA', 9)));
    expect(report.verdict.sentence).toBe(
      'No difference shown: accuracy on mini changed by 1.7 pp (95 % interval -9.5 to 12.8; 60 questions; smallest detectable 15.9 pp at 80 % power).',
    );
    expect(report.verdict.smallestDetectablePp).toBeCloseTo(15.87, 1);
  });

  it('calls arms equivalent only within a margin chosen before', () => {
    const letters = [...repeat('BB', 200), ...repeat('BA', 3), ...repeat('AB', 3), ...repeat('AA', 94)];
    expect(summarise(task(...letters)).verdict.kind).toBe('none');
    const report = summarise({ ...task(...letters), settings: { ...fixtureSettings, equivalenceMarginPp: 3 } });
    expect(report.verdict.sentence).toBe(
      'Equivalent within ±3 pp: accuracy on mini changed by 0.0 pp (90 % interval -1.3 to 1.3; 300 questions).',
    );
  });

  it('gives no verdict from a single item, from none, and from arms that agree everywhere', () => {
    for (const letters of [[], ['BA'], repeat('BB', 20), repeat('AB', 20)]) {
      const report = summarise(task(...letters));
      expect(report.verdict.kind).toBe('none');
      expect(report.verdict.sentence).not.toContain('NaN');
      expect(Report.parse(structuredClone(report))).toEqual(report);
    }
    expect(summarise(task(...repeat('BB', 20))).verdict.sentence).toBe(
      'No difference shown: accuracy on mini cannot be compared, as the difference is the same everywhere (0), so its spread is unknown (20 questions; smallest detectable 34.3 pp at 80 % power).',
    );
  });

  it('counts unanswered as wrong and shows accuracy when answered beside it', () => {
    const report = summarise(task(...repeat('B-', 10), ...repeat('BB', 30), ...repeat('AB', 5)));
    const tuned = report.tasks[0]?.arms.tuned;
    expect(tuned?.accuracy).toMatchObject({ share: 35 / 45 });
    expect(tuned?.accuracyWhenAnswered).toMatchObject({ share: 1, count: 35 });
    expect(tuned?.outcomes).toEqual({ answered: 35 / 45, no_answer: 10 / 45, truncated: 0, loop: 0, empty: 0 });
    expect(report.notices.some((notice) => notice.includes('answer at different rates'))).toBe(true);
  });

  it('tells how much of the difference stems from running out of tokens', () => {
    const input = task(...repeat('BB', 30), ...repeat('B-', 10), ...repeat('BA', 5), ...repeat('AA', 15));
    const records = input.records.map((record) =>
      record.kind === 'generation' && record.answer === 'I cannot say.' ? { ...record, finishReason: 'length' } : record,
    );
    const report = summarise({ ...input, records });
    expect(report.tasks[0]?.arms.tuned.outcomes.truncated).toBeCloseTo(10 / 60, 12);
    expect(report.tasks[0]?.truncation.partPp).toBeCloseTo(-16.667, 2);
    expect(report.tasks[0]?.truncation.share).toBeCloseTo(10 / 15, 12);
  });

  it('averages attempts within an item and leaves McNemar out', () => {
    const items = Array.from({ length: 40 }, (_value, index) => fixtureItem(`i${index}`));
    const records = items.flatMap((item, index) =>
      [0, 1].flatMap((attempt) => [
        fixtureSample('base', item, 'B', { attempt }),
        fixtureSample('tuned', item, attempt === 0 || index % 2 === 0 ? 'B' : 'A', { attempt }),
      ]),
    );
    const report = summarise(
      fixtureInput({ tasks: [{ task: 'mini', items, measures: ['generation'] }], records, settings: { ...fixtureSettings, attempts: 2 } }),
    );
    expect(report.tasks[0]).toMatchObject({ items: 40, mcnemar: null, difference: { mean: -25, items: 40 } });
    expect(report.tasks[0]?.arms.tuned.accuracy).toMatchObject({ share: 0.75, count: 40 });
    expect(report.items[1]?.arms.tuned.map(({ isRight }) => isRight)).toEqual([true, false]);
    expect(report.items[1]?.flip).toBe('lost');
  });

  it('takes repeated questions as one cluster', () => {
    const items = Array.from({ length: 40 }, (_value, index) => fixtureItem(`i${index}`, { question: `Repeated question ${index % 20}?` }));
    const records = items.flatMap((item, index) => [
      fixtureSample('base', item, 'B'),
      fixtureSample('tuned', item, index % 5 === 0 ? 'A' : 'B'),
    ]);
    const report = summarise(fixtureInput({ tasks: [{ task: 'mini', items, measures: ['generation'] }], records }));
    expect(report.tasks[0]).toMatchObject({ clusters: 20, difference: { df: 19, method: 'clustered-t' } });
  });

  it('leaves out items that lack an attempt and says so', () => {
    const input = task(...repeat('BB', 30), ...repeat('BA', 10));
    const report = summarise({ ...input, records: input.records.slice(0, -3) });
    expect(report.isComplete).toBe(false);
    expect(report.tasks[0]).toMatchObject({ items: 38, itemsPlanned: 40 });
    expect(report.notices[0]).toContain('not complete');
    expect(summarise(input).isComplete).toBe(true);
  });

  it('counts the first of two records of one attempt', () => {
    const input = task('BB', 'BA', 'AB', 'BB');
    const [item] = input.tasks[0]?.items ?? [];
    if (item === undefined) throw new Error('no item');
    const again = summarise({ ...input, records: [...input.records, fixtureSample('tuned', item, 'A')] });
    expect(again).toEqual(summarise(input));
  });

  it('refuses samples that were drawn for other content of an item', () => {
    const input = task('BB', 'BA');
    const tasks = input.tasks.map((entry) => ({
      ...entry,
      items: entry.items.map((item) => ({ ...item, question: `${item.question} Really?` })),
    }));
    expect(() => summarise({ ...input, tasks })).toThrow(expect.objectContaining({ code: 'OSLER_ERR_EVALUATION_MISMATCH' }));
  });

  it('decides over several benchmarks by their mean and adjusts each of them', () => {
    const one = fixtureTask([...repeat('BB', 30), ...repeat('BA', 20), ...repeat('AB', 2)], 'one');
    const two = fixtureTask([...repeat('BB', 60), ...repeat('BA', 12), ...repeat('AB', 4)], 'two');
    const report = summarise(fixtureInput({ tasks: [...one.tasks, ...two.tasks], records: [...one.records, ...two.records] }));
    expect(report.verdict.sentence).toMatch(
      /^Tuning made it worse: accuracy, averaged over 2 benchmarks, fell by 22\.6 pp \(95 % interval -3\d\.\d to -1\d\.\d; 128 questions\)\.$/,
    );
    expect(report.accuracyOverall).toMatchObject({ method: 'macro-mean' });
    const [first, second] = report.tasks;
    if (first?.difference.isEstimable !== true || second?.difference.isEstimable !== true) throw new Error('not estimable');
    expect(first.pHolm).toBeCloseTo(2 * first.difference.p, 12);
    expect(second.pHolm).toBeCloseTo(second.difference.p, 12);
  });

  it('says likelihood in a second sentence where accuracy decides', () => {
    const input = task(...repeat('BB', 30), ...repeat('BA', 10));
    const items = input.tasks[0]?.items ?? [];
    const likelihoods = items.flatMap((item, index) => [
      fixtureLikelihood('base', item, 20, 10),
      fixtureLikelihood('tuned', item, 15, 8 + (index % 3)),
    ]);
    const report = summarise({
      ...input,
      tasks: input.tasks.map((entry) => ({ ...entry, measures: ['generation', 'likelihood'] })),
      records: [...input.records, ...likelihoods],
    });
    expect(report.verdict.kind).toBe('worse');
    expect(report.verdict.secondarySentence).toMatch(
      /^Beside it, not deciding: the negative log-likelihood of the reference answers fell by 0\.205 nats per token \(95 % interval -0\.\d{3} to -0\.\d{3}; 40 reference answers; adjusted p < 0\.0001; lower is better\)\.$/,
    );
    expect(report.likelihood?.thought.difference).toMatchObject({ isEstimable: false });
    expect(report.likelihood?.answer.meanNll).toEqual({ base: 2, tuned: expect.closeTo(1.795, 3) });
  });

  it('decides by likelihood where it was named, lower being better', () => {
    const items = Array.from({ length: 40 }, (_value, index) =>
      fixtureItem(`i${index}`, { options: null, answer: null, answer_text: 'Rest.' }),
    );
    const records = items.flatMap((item, index) => [
      fixtureLikelihood('base', item, 20, 10),
      fixtureLikelihood('tuned', item, 15 + (index % 2), 8 + (index % 3)),
    ]);
    const settings = { ...fixtureSettings, primaryMetric: 'answer-likelihood' as const };
    const report = summarise(fixtureInput({ tasks: [{ task: 'mini', items, measures: ['likelihood'] }], records, settings }));
    expect(report.verdict.kind).toBe('better');
    expect(report.verdict.sentence).toMatch(
      /^Tuning made it better: the reference answers became more likely, their negative log-likelihood fell by 0\.205 nats per token/,
    );
    expect(report).toMatchObject({ tasks: [], accuracyOverall: null, format: null, items: [], isComplete: true });
    expect(summarise(fixtureInput({ tasks: [], settings })).verdict.kind).toBe('none');
  });

  it('leaves likelihoods over different numbers of tokens out', () => {
    const items = Array.from({ length: 5 }, (_value, index) => fixtureItem(`i${index}`));
    const records = items.flatMap((item, index) => [
      fixtureLikelihood('base', item, 20, 10),
      fixtureLikelihood('tuned', item, 15, 8 + index, index === 0 ? { answerTokens: 6 } : {}),
    ]);
    const report = summarise(fixtureInput({ tasks: [{ task: 'mini', items, measures: ['likelihood'] }], records }));
    expect(report.likelihood?.answer.items).toBe(4);
    expect(report.notices.some((notice) => notice.includes('different numbers of tokens'))).toBe(true);
  });

  it('sets the difference on clean items beside the one on all', () => {
    const input = task(...repeat('BB', 30), ...repeat('AB', 10));
    const leaked = input.tasks[0]?.items[35]?.question ?? '';
    const report = summarise({ ...input, trainingQuestions: ['Something else altogether about kidneys', leaked] });
    expect(report.contamination?.listed.find(({ isExactMatch }) => isExactMatch)).toMatchObject({
      itemId: 'mini-35',
      level: 'hard',
      nearestTrainingRow: 1,
    });
    expect(report.tasks[0]?.differenceClean?.items).toBe(40 - (report.contamination?.counts.hard ?? 0));
    expect(summarise(input).notices.some((notice) => notice.includes('contamination was not checked'))).toBe(true);
  });

  it('warns when neither arm beats the majority answer', () => {
    expect(
      summarise(task(...repeat('BB', 20), ...repeat('AA', 20), ...repeat('AB', 2))).notices.some((notice) => notice.includes('too small')),
    ).toBe(true);
  });

  it('gives texts that answer nothing a score of 0 under our rule', () => {
    for (const { ours } of summarise(task('BB', 'AA', 'AB')).tasks[0]?.nonAnswering ?? []) expect(ours).toBe(0);
  });

  it('makes a report that its schema accepts and that survives JSON', () => {
    const report = summarise(task(...repeat('BB', 30), ...repeat('B-', 10)));
    expect(Report.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });
});
