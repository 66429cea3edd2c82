import { describe, expect, it } from 'vitest';
import { isCommitId } from '../../../../src/core/hub/hub-id.ts';
import type { Question } from '../../../../src/core/schema/question.ts';
import { readConfig } from '../../../../src/core/config.ts';
import { askItem } from '../../../../src/eval/ask-item.ts';
import { extractAnswer } from '../../../../src/eval/extract-answer.ts';
import { loadTasks, type TaskRequest } from '../../../../src/eval/load-tasks.ts';
import { clusterItems } from '../../../../src/eval/statistics/item-clusters.ts';
import { checkItems } from '../../../../src/eval/tasks/check-items.ts';
import { findManifest, listBenchmarks } from '../../../../src/eval/tasks/find-manifest.ts';
import { findContamination } from '../../../../src/eval/contamination.ts';
import { hasShared, readSharedRows, sharedFolder } from '../../../support/shared-folder.ts';

const published = ['medmcqa', 'medqa', 'medxpertqa', 'mmlu_medical', 'mmlu_pro_health', 'pubmedqa'];
const closing = 'End your answer with the line "Answer: X", where X is the letter of the one right option.';

/** The item that a benchmark's example row becomes. */
async function exampleOf(name: string): Promise<Question> {
  const { manifest } = await findManifest(name);
  const [part] = manifest.parts;
  const columns = part?.hub?.columns ?? part?.columns ?? null;
  const { items, faults } = checkItems([{ place: 'example', value: manifest.example }], {
    task: part?.task ?? '',
    columns,
    prompt: part?.prompt,
    accepts: [],
  });
  expect(faults).toEqual([]);
  const [item] = items;
  if (item === undefined) throw new Error(`the example of ${name} gives no item`);
  return item;
}

describe('benchmarks of the package', () => {
  it('are these', () => expect(listBenchmarks()).toEqual([...published, 'mini'].toSorted()));

  it.each([...published, 'mini'])('%s says what it is, whence it comes and under which licence', async (name) => {
    const { manifest } = await findManifest(name);
    expect(manifest.id).toBe(name);
    for (const said of [manifest.description, manifest.source, manifest.licence]) expect(said).not.toBe('not stated');
    for (const { hub, prompt } of manifest.parts.filter((part) => part.hub !== undefined)) {
      expect(isCommitId(hub?.revision ?? ''), 'a pinned commit').toBe(true);
      expect(prompt).toBeDefined();
    }
  });

  it.each([
    ['medqa', 'B', 4],
    ['medmcqa', 'C', 4],
    ['pubmedqa', 'A', 3],
    ['mmlu_medical', 'B', 4],
    ['mmlu_pro_health', 'D', 6],
    ['medxpertqa', 'C', 10],
    ['mini', 'B', 4],
  ])('%s: its example row is asked and graded', async (name, gold, options) => {
    const item = await exampleOf(name);
    expect(item.answer).toBe(gold);
    expect(Object.keys(item.options ?? {})).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J'].slice(0, options));
    expect(item.answer_text).toBe(item.options?.[gold] ?? null);
    const prompt = askItem(item);
    for (const [letter, text] of Object.entries(item.options ?? {})) expect(prompt.split('\n')).toContain(`${letter}. ${text}`);
    expect(prompt.endsWith(closing)).toBe(true);
    const grade = (answer: string): string | null => extractAnswer(answer, item.options ?? {}).letter;
    expect(grade(`It follows.\n\nAnswer: ${gold}`)).toBe(gold);
    expect(grade(`Answer: ${item.answer_text ?? ''}`)).toBe(gold);
    expect(grade(`Answer: ${gold === 'A' ? 'B' : 'A'}`)).not.toBe(gold);
  });

  it('gives PubMedQA its abstract, and no conclusion', async () => {
    const item = await exampleOf('pubmedqa');
    expect(askItem(item)).toMatchInlineSnapshot(`
      "Missed appointments are common in asthma clinics. We asked whether a text message on the day before changes this.
      Of 400 patients, half were sent a message. Attendance was 84% with and 71% without one (P = 0.002).

      Does a reminder by text message raise attendance at asthma clinics?

      A. yes
      B. no
      C. maybe

      Answer by the abstract above. End your answer with the line "Answer: X", where X is the letter of the one right option."
    `);
  });

  it('asks MedXpertQA without the options that stand in its question too', async () => {
    const item = await exampleOf('medxpertqa');
    expect(item.question).toMatch(/explains this best\?$/);
    expect(item).toMatchObject({ subject: 'Basic Science', specialty: 'Nervous', sourceId: 'Text-0' });
  });

  it('keeps no prompt with an item that is asked as all are', async () => {
    expect(await exampleOf('medqa')).not.toHaveProperty('promptTemplate');
    expect(await exampleOf('pubmedqa')).toHaveProperty('promptTemplate');
  });
});

describe.skipIf(!hasShared('data/eval'))('benchmarks from the files in ../shared/data/eval (skipped where the folder is missing)', () => {
  const config = { ...readConfig({}), hubEndpoint: 'http://127.0.0.1:9', benchmarkData: `${sharedFolder}/data/eval` };
  const request = (changes: Partial<TaskRequest>): TaskRequest => ({
    tasks: [],
    itemFiles: [],
    heldOutFile: null,
    limit: null,
    config,
    ...changes,
  });

  it('are found in the folder of benchmark data, with every row', async () => {
    const tasks = await loadTasks(request({ tasks: published }));
    expect(Object.fromEntries(tasks.map(({ task, items }) => [task, items.length]))).toEqual({
      medqa: 400,
      medmcqa: 503,
      pubmedqa: 200,
      mmlu_medical: 200,
      mmlu_pro_health: 150,
      medxpertqa: 150,
    });
    const items = tasks.flatMap((task) => task.items);
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
    expect(tasks.flatMap(({ origin }) => origin?.dropped ?? [])).toEqual([]);
  });

  it('have the same items where the file is named', async () => {
    const [inFolder] = await loadTasks(request({ tasks: ['medmcqa'] }));
    const named = { ...config, benchmarkData: null };
    const [byName] = await loadTasks(request({ itemFiles: [`medmcqa=${sharedFolder}/data/eval/medmcqa.jsonl`], config: named }));
    expect(byName).toEqual(inFolder);
  });

  it('keep the gold letters and stems of the files', async () => {
    const [medqa] = await loadTasks(request({ tasks: ['medqa'] }));
    const rows = readSharedRows<{ question: string; answer: string }>('data/eval/medqa_4opt.jsonl');
    expect(medqa?.items.map(({ question, answer }) => [question, answer])).toEqual(
      rows.map(({ question, answer }) => [question.trim(), answer]),
    );
  });

  it('count the known faults of the published rows, and keep them', async () => {
    const [medmcqa, pro] = await loadTasks(request({ tasks: ['medmcqa', 'mmlu_pro_health'] }));
    expect(medmcqa?.origin?.kept.map(({ reason }) => reason)).toEqual([
      'options: C and D are equal',
      'options: A and B are equal',
      'options: C and D are equal',
    ]);
    expect(pro?.origin?.kept.map(({ place }) => place)).toEqual(['line 31', 'line 104', 'line 148']);
    expect(new Set(clusterItems(pro?.items ?? [])).size).toBe(147);
  });

  it('give the contamination that is known: three of MedMCQA, none of MedQA', async () => {
    const tasks = await loadTasks(request({ tasks: ['medqa', 'medmcqa'] }));
    const questions = readSharedRows<{ Question: string }>('data/train/medical_o1_198.jsonl').map(({ Question }) => Question);
    const stems = tasks.flatMap(({ task, items }) => items.map(({ id, question }) => ({ task, itemId: id, stem: question })));
    const hard = findContamination(stems, questions).filter(({ level }) => level === 'hard');
    expect(hard.map(({ task }) => task)).toEqual(['medmcqa', 'medmcqa', 'medmcqa']);
    const sourceOf = new Map(tasks.flatMap(({ items }) => items.map(({ id, sourceId }) => [id, sourceId] as const)));
    expect(new Set(hard.map(({ itemId }) => sourceOf.get(itemId)?.slice(0, 8)))).toEqual(new Set(['b5135682', 'bc8e9ed4', 'da529e73']));
  });

  it('draw a share of each subject', async () => {
    const [whole, part] = await Promise.all(
      [null, 60].map(async (limit) => (await loadTasks(request({ tasks: ['mmlu_medical'], limit, choice: 'subject', seed: 7 })))[0]),
    );
    const counts = (items: readonly Question[] = []) => Map.groupBy(items, ({ subject }) => subject);
    expect(part?.items).toHaveLength(60);
    for (const [subject, members] of counts(whole?.items))
      expect(Math.abs((counts(part?.items).get(subject)?.length ?? 0) - (60 * members.length) / 200)).toBeLessThan(1);
  });
});
