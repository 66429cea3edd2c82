import type { TrainingRow } from '../../core/schema/training-row.ts';
import { normaliseQuestion } from './normalise-question.ts';

/** A row with where it stands in its file. */
export interface PlacedRow {
  readonly place: string;
  readonly row: TrainingRow;
}

/** A row that repeats another. */
export interface Repeat {
  readonly place: string;
  /** Where the row stands that it repeats. */
  readonly of: string;
  /** Whether thought and answer are the same too. */
  readonly isSameRow: boolean;
}

/** Rows without those that must go, and the ones that went. */
export interface WithoutRepeats {
  readonly train: readonly PlacedRow[];
  readonly heldOut: readonly PlacedRow[];
  /** Trained rows whose question stood in an earlier one; still in `train` unless they were to be left out. */
  readonly repeats: readonly Repeat[];
  /** Held-out rows left out because their question is trained on. */
  readonly trained: readonly Repeat[];
  /** Held-out rows left out because they stand among the held-out ones already. */
  readonly heldOutTwice: readonly Repeat[];
}

/**
 * Tells rows by their normalised question. Held-out rows that are trained on always go, as does a held-out row that stands
 * twice; trained rows that repeat an earlier question go if `deduplicate` says so (and so do held-out ones).
 */
export function dropRepeats(train: readonly PlacedRow[], heldOut: readonly PlacedRow[], deduplicate: boolean): WithoutRepeats {
  const firstOfQuestion = new Map<string, PlacedRow>();
  const repeats: Repeat[] = [];
  const firsts: PlacedRow[] = [];
  for (const placed of train) {
    const key = normaliseQuestion(placed.row.question);
    const first = firstOfQuestion.get(key);
    if (first === undefined) {
      firstOfQuestion.set(key, placed);
      firsts.push(placed);
    } else repeats.push(repeatOf(placed, first));
  }
  const trained: Repeat[] = [];
  const heldOutTwice: Repeat[] = [];
  const seen = new Map<string, PlacedRow>();
  const kept = heldOut.filter((placed) => {
    const question = normaliseQuestion(placed.row.question);
    const key = deduplicate ? question : placed.row.id;
    const [inTraining, before] = [firstOfQuestion.get(question), seen.get(key)];
    if (inTraining !== undefined) trained.push(repeatOf(placed, inTraining));
    else if (before === undefined) seen.set(key, placed);
    else heldOutTwice.push(repeatOf(placed, before));
    return inTraining === undefined && before === undefined;
  });
  return { train: deduplicate ? firsts : train, heldOut: kept, repeats, trained, heldOutTwice };
}

function repeatOf(placed: PlacedRow, first: PlacedRow): Repeat {
  return { place: placed.place, of: first.place, isSameRow: placed.row.id === first.row.id };
}
