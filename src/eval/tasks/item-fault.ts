/** What is wrong with a row; `accepts` of a manifest can let the last three pass. */
export type FaultKind =
  | 'unreadable'
  | 'noQuestion'
  | 'noAnswer'
  | 'answerOutside'
  | 'fewOptions'
  | 'malformed'
  | 'doubledId'
  | 'emptyOption'
  | 'equalOptions'
  | 'repeatedItem';

/** A fault with its reason in words; letters and places, never the text of an item. */
export interface ItemFault {
  readonly kind: FaultKind;
  readonly reason: string;
}

/** A fault and the row that has it. */
export interface PlacedFault extends ItemFault {
  /** Such as `line 3`, or `test.parquet row 17` where there are several files. */
  readonly place: string;
}
