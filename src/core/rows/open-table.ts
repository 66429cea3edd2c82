import type { DataFormat, SourceTable, WantedColumns } from './source-row.ts';
import { readCsv } from './read-csv.ts';
import { readJsonArray } from './read-json-array.ts';
import { readJsonLines } from './read-json-lines.ts';
import { readParquet } from './read-parquet.ts';

/**
 * A file of rows as a table, whatever its format.
 *
 * @throws OSLER_ERR_DATA_FORMAT
 */
export async function openTable(file: string, format: DataFormat, wanted: WantedColumns): Promise<SourceTable> {
  switch (format) {
    case 'parquet':
      return await readParquet(file, wanted);
    case 'csv':
    case 'tsv':
      return await readCsv(file, format, wanted.columns);
    case 'json':
      return readJsonArray(file);
    case 'jsonl':
      return readJsonLines(file);
  }
}
