import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findContamination, type StemOfItem } from '../../../src/eval/contamination.ts';

const shared = join(import.meta.dirname, '../../../../shared/data');
const skipped = existsSync(shared) ? null : 'no ../shared/data';
const because = skipped === null ? '' : ` (skipped: ${skipped})`;

const item = (itemId: string, stem: string): StemOfItem => ({ task: 'mini', itemId, stem });
const vignette =
  'A 34 year old gardener notices a painless ulcer on the thumb two weeks after pruning roses and nodules now climb along the forearm';
const fillers = Array.from(
  { length: 30 },
  (_value, index) => `Unrelated training question number ${index} about topic${index} and organ${index % 5}`,
);

describe('findContamination', () => {
  it('calls an equal stem hard, case and punctuation aside', () => {
    const [found] = findContamination([item('1', 'Causes of gout?')], [...fillers, 'causes of GOUT']);
    expect(found).toMatchObject({ level: 'hard', isExactMatch: true, gramShare: null, nearestTrainingRow: 30 });
  });

  it('calls a stem hard that stands inside a longer training question', () => {
    const [found] = findContamination(
      [item('1', vignette)],
      [
        ...fillers,
        `${'Before anything else comes a long and unrelated introduction with many words of its own that thin the likeness out considerably, '.repeat(3)}${vignette}.`,
      ],
    );
    expect(found).toMatchObject({ level: 'hard', isExactMatch: false, gramShare: 1, nearestTrainingRow: 30 });
  });

  it('finds paraphrases that share no 13-gram', () => {
    const [found] = findContamination(
      [item('1', 'Painless thumb ulcer with nodules climbing the forearm in a gardener who pruned roses is due to?')],
      [...fillers, `${vignette}. What is the cause?`],
    );
    expect(found).toMatchObject({ level: 'hard', gramShare: 0, nearestTrainingRow: 30 });
    expect(found?.similarity).toBeGreaterThan(0.4);
  });

  it('drops 13-grams that three evaluation items share', () => {
    const boilerplate = 'which of the following is the most likely cause of the findings in this patient today';
    const stems = ['croup', 'gout', 'scurvy'].map((disease) =>
      item(disease, `Some ${disease} story with its very own words like ${disease}a ${disease}b ${disease}c and ${boilerplate}`),
    );
    const inTraining = findContamination(stems, [...fillers, `Of something else entirely: ${boilerplate}`]);
    expect(inTraining.map(({ gramShare, level }) => [gramShare, level])).toEqual(stems.map(() => [0, 'none']));
    expect(findContamination(stems.slice(0, 2), [...fillers, `Of something else entirely: ${boilerplate}`])[0]?.gramShare).toBeGreaterThan(
      0,
    );
  });

  it('leaves unrelated, empty and wordless stems clean, also without training data', () => {
    expect(findContamination([item('1', 'What is croup?'), item('2', '?!')], fillers).map(({ level }) => level)).toEqual(['none', 'none']);
    expect(findContamination([item('1', 'What is croup?')], [])).toEqual([
      { task: 'mini', itemId: '1', level: 'none', isExactMatch: false, gramShare: null, similarity: 0, nearestTrainingRow: null },
    ]);
    expect(findContamination([], fillers)).toEqual([]);
  });

  it.skipIf(skipped !== null)(`finds exactly the three known paraphrases in MedMCQA${because}`, () => {
    const hard = findContamination(itemsOf('medmcqa'), trainingQuestions()).filter(({ level }) => level === 'hard');
    expect(hard.map(({ itemId }) => /^medmcqa-val-(\w{8})/.exec(itemId)?.[1] ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
      'b5135682',
      'bc8e9ed4',
      'da529e73',
    ]);
    expect(hard.every(({ isExactMatch, gramShare }) => !isExactMatch && (gramShare ?? 0) === 0)).toBe(true);
  });

  it.skipIf(skipped !== null)(`finds nothing hard in any other benchmark, and nothing at all in MedQA${because}`, () => {
    expect(findContamination(itemsOf('medqa_4opt'), trainingQuestions()).filter(({ level }) => level !== 'none')).toEqual([]);
    for (const name of ['pubmedqa', 'mmlu_medical', 'mmlu_pro_health', 'medxpertqa_text', 'kqa_open']) {
      expect(
        findContamination(itemsOf(name), trainingQuestions()).filter(({ level }) => level === 'hard'),
        name,
      ).toEqual([]);
    }
  });

  it.skipIf(skipped !== null)(`compares 500 items with 1000 questions in under two seconds${because}`, () => {
    const questions = Array.from({ length: 6 }, trainingQuestions).flat().slice(0, 1000);
    const started = performance.now();
    expect(findContamination(itemsOf('medmcqa').slice(0, 500), questions)).toHaveLength(500);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

function rowsOf<T extends z.ZodType>(file: string, schema: T): z.output<T>[] {
  return readFileSync(join(shared, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => schema.parse(JSON.parse(line)));
}

function itemsOf(name: string): StemOfItem[] {
  return rowsOf(`eval/${name}.jsonl`, z.object({ id: z.string(), question: z.string() })).map(({ id, question }) => ({
    task: name,
    itemId: id,
    stem: question,
  }));
}

function trainingQuestions(): string[] {
  return rowsOf('train/medical_o1_198.jsonl', z.object({ Question: z.string() })).map(({ Question }) => Question);
}
