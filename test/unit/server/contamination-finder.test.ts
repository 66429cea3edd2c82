import { describe, expect, it } from 'vitest';
import path from 'node:path';
import { readConfig } from '../../../src/core/config.ts';
import { contaminationFinder } from '../../../src/server/contamination-finder.ts';
import { hasShared, readSharedRows, sharedFolder } from '../../support/shared-folder.ts';

describe('contaminationFinder', () => {
  it('finds an item of the package’s benchmarks in other spelling, and a held-out row among the trained ones', async () => {
    const find = contaminationFinder([], readConfig({}));
    const nothing = await find(['How are you?'], []);
    expect(nothing.items).toBeGreaterThan(20);
    expect(nothing.hits).toEqual([]);
    const heldOut = { id: 'h', question: 'Which vitamin is lacking in a sailor with bleeding gums and poor healing of wounds?' };
    const { items, hits } = await find(['Bleeding gums and poor wound healing in a sailor: which vitamin is lacking?'], [heldOut]);
    expect(items).toBe(nothing.items + 1);
    expect(hits).toEqual([{ task: 'heldout', itemId: 'h', level: 'hard', nearestTrainingRow: 0 }]);
  });

  it.skipIf(!hasShared('data/eval'))(
    'looks in the folder of benchmark data without being told the files, and asks no Hub (skipped without ../shared)',
    async () => {
      const config = { ...readConfig({}), hubEndpoint: 'http://127.0.0.1:9', benchmarkData: path.join(sharedFolder, 'data/eval') };
      const questions = readSharedRows<{ Question: string }>('data/train/medical_o1_198.jsonl').map((row) => row.Question);
      const { hits } = await contaminationFinder([], config)(questions, []);
      expect(hits.filter(({ level }) => level === 'hard').map(({ task }) => task)).toEqual(['medmcqa', 'medmcqa', 'medmcqa']);
    },
  );

  const needed = ['data/train/medical_o1_198.jsonl', 'data/eval/medmcqa.jsonl', 'data/eval/medqa_4opt.jsonl'];
  it.skipIf(!needed.every(hasShared))(
    'finds the three known paraphrases of MedMCQA in 198 real rows as hard, and none of MedQA (skipped without ../shared)',
    async () => {
      const [train, ...sets] = needed;
      const questions = readSharedRows<{ Question: string }>(train ?? '').map((row) => row.Question);
      const { hits } = await contaminationFinder(
        sets.map((name) => path.join(sharedFolder, name)),
        readConfig({}),
      )(questions, []);
      const hard = hits.filter(({ level }) => level === 'hard');
      expect(new Set(hard.map(({ task, itemId }) => `${task} …${itemId.slice(-2)}`))).toEqual(
        new Set(['medmcqa …41', 'medmcqa …66', 'medmcqa …fd']),
      );
      expect(hard).toHaveLength(3);
    },
  );
});
