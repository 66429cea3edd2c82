import type { Question } from '../core/schema/question.ts';
import { extractAnswer, type Extraction } from './extract-answer.ts';
import type { Sample } from './schema/sample.ts';
import { typeOutcome, type Outcome } from './type-outcome.ts';

/** A sample with all that our rules derive from it; nothing here is stored with the sample. */
export interface ScoredSample {
  readonly sample: Sample;
  /** Null for an open question. */
  readonly extraction: Extraction | null;
  readonly outcome: Outcome;
  /** Null for an open question; unanswered multiple choice is wrong. */
  readonly isRight: boolean | null;
  /** No letter and no tokens left: the budget, not the model's mind, made it wrong. */
  readonly isCutOff: boolean;
}

/** Grades one sample of an item. */
export function scoreSample(sample: Sample, item: Question): ScoredSample {
  const extraction = item.options === null ? null : extractAnswer(sample.answer, item.options);
  const outcome = typeOutcome(sample, extraction);
  return {
    sample,
    extraction,
    outcome,
    isRight: extraction === null ? null : extraction.letter === item.answer,
    isCutOff: outcome !== 'answered' && sample.finishReason === 'length',
  };
}
