import { nearestQuestions } from './paraphrase-similarity.ts';
import type { ContaminationLevel, ItemContamination } from './schema/contamination.ts';

/** Where a level begins. Tried on real files: true paraphrases scored 0.93, 0.55 and 0.52, the next of all pairs 0.28. */
const thresholds = { gramShare: { hard: 0.5, soft: 0.25 }, similarity: { hard: 0.4, soft: 0.25 } };
const gramLengthWords = 13;
/** A 13-gram in so many evaluation items is clinical boilerplate ("which of the following is the most likely …") and tells nothing. */
const boilerplateItems = 3;

/** An evaluation item, seen by its stem alone: options and passages are shared too widely. */
export interface StemOfItem {
  readonly task: string;
  readonly itemId: string;
  readonly stem: string;
}

/**
 * Looks for evaluation items in the training questions, by two rules; the worse one decides.
 *
 * Words: the share of an item's 13-grams found in training, after dropping those that occur in three or more evaluation
 * items; an equal stem is hard. Paraphrases and short stems: IDF-weighted Jaccard of stemmed content words. Items keep their order.
 */
export function findContamination(items: readonly StemOfItem[], trainingQuestions: readonly string[]): ItemContamination[] {
  const trainingWords = trainingQuestions.map(wordsOfStem);
  const rowOfText = firstIndexOf(trainingWords.map((words) => words.join(' ')));
  const rowOfGram = firstIndexOf(trainingWords.map(gramsOf));
  const itemWords = items.map(({ stem }) => wordsOfStem(stem));
  const itemsOfGram = new Map<string, number>();
  for (const words of itemWords) for (const gram of new Set(gramsOf(words))) itemsOfGram.set(gram, (itemsOfGram.get(gram) ?? 0) + 1);
  const nearest = nearestQuestions(itemWords, trainingWords);

  return items.map(({ task, itemId }, index) => {
    const words = itemWords[index] ?? [];
    const exactRow = words.length === 0 ? undefined : rowOfText.get(words.join(' '));
    const grams = [...new Set(gramsOf(words))].filter((gram) => (itemsOfGram.get(gram) ?? 0) < boilerplateItems);
    const foundRows = grams.map((gram) => rowOfGram.get(gram)).filter((row) => row !== undefined);
    const gramShare = grams.length === 0 ? null : foundRows.length / grams.length;
    const { similarity, row } = nearest[index] ?? { similarity: 0, row: null };
    const byGrams = exactRow === undefined ? levelOf(gramShare ?? 0, thresholds.gramShare) : 'hard';
    const bySimilarity = levelOf(similarity, thresholds.similarity);
    const isGramsWorse = severity[byGrams] > severity[bySimilarity];
    return {
      task,
      itemId,
      level: isGramsWorse ? byGrams : bySimilarity,
      isExactMatch: exactRow !== undefined,
      gramShare,
      similarity,
      nearestTrainingRow: exactRow ?? (isGramsWorse ? (foundRows[0] ?? row) : row),
    };
  });
}

const severity: Record<ContaminationLevel, number> = { none: 0, soft: 1, hard: 2 };

function levelOf(value: number, { hard, soft }: { hard: number; soft: number }): ContaminationLevel {
  if (value >= hard) return 'hard';
  return value >= soft ? 'soft' : 'none';
}

function wordsOfStem(text: string): string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

function gramsOf(words: readonly string[]): string[] {
  const grams: string[] = [];
  for (let start = 0; start + gramLengthWords <= words.length; start += 1)
    grams.push(words.slice(start, start + gramLengthWords).join(' '));
  return grams;
}

function firstIndexOf(keys: readonly (string | readonly string[])[]): Map<string, number> {
  const first = new Map<string, number>();
  for (const [index, entry] of keys.entries())
    for (const key of typeof entry === 'string' ? [entry] : entry) if (!first.has(key)) first.set(key, index);
  return first;
}
