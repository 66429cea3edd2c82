import { stemWord } from './porter-stemmer.ts';
import { stopWords } from './stop-words.ts';

/** The training question nearest to an item; `row` is null where they share no content word. */
export interface NearestQuestion {
  readonly similarity: number;
  readonly row: number | null;
}

/**
 * For each evaluation stem, the training question of largest IDF-weighted Jaccard: weights of the stemmed content words that both
 * hold over the weights of those that either holds. IDF is ln((N + 1)/(df + 1)) + 1 over stems and training questions together. Texts come as
 * lower-case words. By an inverted index: only pairs that share a word are looked at.
 */
export function nearestQuestions(
  stems: readonly (readonly string[])[],
  trainingQuestions: readonly (readonly string[])[],
): NearestQuestion[] {
  const stemOfWord = new Map<string, string>();
  const termsOf = (words: readonly string[]): Set<string> => {
    const terms = new Set<string>();
    for (const word of words) {
      if (stopWords.has(word)) continue;
      const stem = stemOfWord.get(word) ?? stemWord(word);
      stemOfWord.set(word, stem);
      terms.add(stem);
    }
    return terms;
  };
  const stemTerms = stems.map(termsOf);
  const trainingTerms = trainingQuestions.map(termsOf);

  const documentsOfTerm = new Map<string, number>();
  for (const terms of [...stemTerms, ...trainingTerms])
    for (const term of terms) documentsOfTerm.set(term, (documentsOfTerm.get(term) ?? 0) + 1);
  const documentCount = stemTerms.length + trainingTerms.length;
  const weightOf = (term: string): number => Math.log((documentCount + 1) / ((documentsOfTerm.get(term) ?? 0) + 1)) + 1;
  const totalOf = (terms: Set<string>): number => terms.values().reduce((sum, term) => sum + weightOf(term), 0);

  const rowsOfTerm = new Map<string, number[]>();
  for (const [row, terms] of trainingTerms.entries()) {
    for (const term of terms) {
      const rows = rowsOfTerm.get(term);
      if (rows === undefined) rowsOfTerm.set(term, [row]);
      else rows.push(row);
    }
  }
  const trainingTotals = trainingTerms.map(totalOf);

  return stemTerms.map((terms) => {
    const shared = new Map<number, number>();
    for (const term of terms) {
      const weight = weightOf(term);
      for (const row of rowsOfTerm.get(term) ?? []) shared.set(row, (shared.get(row) ?? 0) + weight);
    }
    const total = totalOf(terms);
    let nearest: NearestQuestion = { similarity: 0, row: null };
    for (const [row, weight] of shared) {
      const similarity = Math.min(1, weight / (total + (trainingTotals[row] ?? 0) - weight));
      if (similarity > nearest.similarity) nearest = { similarity, row };
    }
    return nearest;
  });
}
