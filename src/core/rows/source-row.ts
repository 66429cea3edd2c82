/** Formats that rows are read from. */
export type DataFormat = 'json' | 'jsonl' | 'csv' | 'tsv' | 'parquet';

/** What a reader finds, in the order of the file: a row as it stands there, or a place that cannot be read as one. */
export type SourceItem = { readonly place: string; readonly value: unknown } | { readonly place: string; readonly problem: string };

/** A file that is being read. */
export interface SourceTable {
  /** Names of its columns; null: rows name their own. */
  readonly columns: readonly string[] | null;
  /** Wanted columns that can hold no text, with what they hold. */
  readonly unfit: readonly { readonly column: string; readonly type: string }[];
  readonly items: AsyncIterable<SourceItem>;
}

/** What is wanted of a file. */
export interface WantedColumns {
  /** Columns to read, where a format can leave others out; null: all. */
  readonly columns: readonly string[] | null;
  /** `text`: columns that hold no text are named as unfit. `any`: numbers, lists and structs as JSON would have them. */
  readonly values: 'text' | 'any';
}
