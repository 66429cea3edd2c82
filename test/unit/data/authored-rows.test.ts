import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../../../src/core/package-root.ts';
import { Question } from '../../../src/core/schema/question.ts';
import { defaultPrompts } from '../../../src/eval/ask-item.ts';
import { findContamination } from '../../../src/eval/contamination.ts';
import { describeIllustration, illustrationQuestion } from '../../../src/eval/illustration.ts';
import { TaskManifest } from '../../../src/eval/tasks/task-manifest.ts';

const nonBlank = z.string().trim().min(1);
const TrainRow = z.strictObject({
  id: nonBlank,
  Question: nonBlank,
  Complex_CoT: nonBlank,
  Response: nonBlank,
  specialty: nonBlank,
  topic: nonBlank,
  basis: nonBlank,
});
const HeldOutItem = Question.and(
  z.looseObject({ subject: nonBlank, topic: nonBlank, basis: nonBlank, answer_text: nonBlank, source: nonBlank, licence: nonBlank }),
);
const SecondReading = z.strictObject({
  id: nonBlank,
  verdict: z.enum(['kept', 'corrected', 'replaced']),
  check: nonBlank,
  changes: z.array(z.strictObject({ field: nonBlank, why: nonBlank })),
});

function rowsOf<T extends z.ZodType>(file: string, schema: T): z.output<T>[] {
  return readFileSync(path.join(packageRoot, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const parsed = schema.safeParse(JSON.parse(line));
      if (!parsed.success) throw new Error(`${file}, line ${index + 1}: ${z.prettifyError(parsed.error)}`);
      return parsed.data;
    });
}

const train = rowsOf('data/train/osler-medical-cot.jsonl', TrainRow);
const choice = rowsOf('benchmarks/mini-mcq.jsonl', HeldOutItem);
const open = rowsOf('benchmarks/mini-open.jsonl', HeldOutItem);
const heldOut = [...choice, ...open];
const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);

describe('the authored rows', () => {
  it('are as many as promised: 80 to train on, 60 of multiple choice and 30 open ones held out', () => {
    expect(train.length).toBeGreaterThanOrEqual(80);
    expect(choice.length).toBeGreaterThanOrEqual(60);
    expect(open.length).toBeGreaterThanOrEqual(30);
  });

  it('have ids and questions of their own', () => {
    const ids = [...idsOf(train), ...idsOf(heldOut)];
    expect(new Set(ids).size).toBe(ids.length);
    const questions = [...train.map(({ Question: text }) => text), ...heldOut.map(({ question }) => question)];
    expect(new Set(questions.map((text) => text.toLowerCase())).size).toBe(questions.length);
  });

  it('come from several specialties', () => {
    expect(new Set(train.map(({ specialty }) => specialty.toLowerCase())).size).toBeGreaterThanOrEqual(8);
    expect(new Set(heldOut.map(({ subject }) => subject.toLowerCase())).size).toBeGreaterThanOrEqual(8);
  });

  it('carry no tags of thoughts, which would end them early', () => {
    for (const row of [...train, ...heldOut]) expect(JSON.stringify(row), row.id).not.toMatch(/<\/?think>/i);
  });
});

describe('the multiple-choice questions', () => {
  it('have four different options, A to D, and the text of the right one', () => {
    for (const { id, options, answer, answer_text: text } of choice) {
      expect(Object.keys(options ?? {}), id).toEqual(['A', 'B', 'C', 'D']);
      expect(new Set(Object.values(options ?? {}).map((option) => option.toLowerCase())).size, id).toBe(4);
      expect(options?.[answer ?? ''], id).toBe(text);
    }
  });

  it('spread the right letters evenly, within two of a quarter each', () => {
    for (const letter of ['A', 'B', 'C', 'D']) {
      const count = choice.filter(({ answer }) => answer === letter).length;
      expect(Math.abs(count - choice.length / 4), letter).toBeLessThanOrEqual(2);
    }
  });
});

describe('the open questions', () => {
  it('have a reference thought and answer and the points that an answer must have', () => {
    for (const item of open) {
      expect([item.options, item.answer], item.id).toEqual([null, null]);
      expect(item.reasoning?.trim(), item.id).toBeTruthy();
      expect(item.must_have?.length, item.id).toBeGreaterThan(0);
    }
  });
});

describe('the second reading', () => {
  it.each([
    ['data/train/second-reading.jsonl', train],
    ['benchmarks/mini-mcq.second-reading.jsonl', choice],
    ['benchmarks/mini-open.second-reading.jsonl', open],
  ])('%s covers every row exactly once, and says what it changed', (file, rows) => {
    const readings = rowsOf(file, SecondReading);
    expect(idsOf(readings).toSorted()).toEqual(idsOf(rows).toSorted());
    for (const { id, verdict, changes } of readings) expect(changes.length > 0, id).toBe(verdict !== 'kept');
  });
});

describe('training and held-out rows', () => {
  const trainingQuestions = train.map(({ Question: text }) => text);

  it('do not overlap by our own contamination rule, neither hard nor soft', () => {
    const items = [
      ...choice.map(({ id, question }) => ({ task: 'mini', itemId: id, stem: question })),
      ...open.map(({ id, question }) => ({ task: 'mini-open', itemId: id, stem: question })),
    ];
    expect(findContamination(items, trainingQuestions).filter(({ level }) => level !== 'none')).toEqual([]);
    // The rule does find what overlaps: each training question itself.
    const itself = trainingQuestions.map((stem, index) => ({ task: 'train', itemId: String(index), stem }));
    expect(findContamination(itself, trainingQuestions).every(({ level }) => level === 'hard')).toBe(true);
  });

  it('leave the tutorial’s question out, so that its illustration is not of a trained row', () => {
    expect(describeIllustration([], trainingQuestions).inTrainingSet).toBe(false);
    expect(findContamination([{ task: 'illustration', itemId: 'q', stem: illustrationQuestion }], trainingQuestions)[0]?.level).toBe('none');
  });
});

describe('benchmarks/mini.json', () => {
  it('is a manifest of these files', () => {
    const manifest = TaskManifest.parse(JSON.parse(readFileSync(path.join(packageRoot, 'benchmarks/mini.json'), 'utf8')));
    expect(manifest.parts).toEqual([
      { task: 'mini', file: 'mini-mcq.jsonl', measures: ['generation'], accepts: [], prompt: defaultPrompts.choice },
      { task: 'mini-open', file: 'mini-open.jsonl', measures: ['likelihood'], accepts: [], prompt: defaultPrompts.open },
    ]);
    expect(manifest.licence).toBe('Apache-2.0');
    for (const { id, licence } of heldOut) expect(licence, id).toBe(manifest.licence);
  });
});
