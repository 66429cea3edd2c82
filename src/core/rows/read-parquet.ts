import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type FileMetaData,
  type SchemaTree,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf, OSLER_ERR_DATA_FORMAT } from '../errors.ts';
import { isRecord } from '../is-record.ts';
import type { SourceItem, SourceTable, WantedColumns } from './source-row.ts';

/** Stands for bytes of a text column that are no UTF-8. */
const notUtf8 = Symbol('bytes that are not UTF-8');
const decoder = new TextDecoder();

/**
 * Parquet with any codec but LZO, a row group at a time and only the wanted columns.
 *
 * @throws OSLER_ERR_DATA_FORMAT where the file is damaged
 */
export async function readParquet(file: string, wanted: WantedColumns): Promise<SourceTable> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await readable(file, () => parquetMetadataAsync(buffer));
  const fields = parquetSchema(metadata).children;
  const present = fields.filter(({ element }) => wanted.columns?.includes(element.name) !== false);
  const unfit = present.flatMap((field) =>
    wanted.values === 'any' || isText(field) ? [] : [{ column: field.element.name, type: typeOf(field) }],
  );
  const columns = present.map(({ element }) => element.name);
  const items = unfit.length > 0 ? itemsOf(file, buffer, { ...metadata, row_groups: [] }, []) : itemsOf(file, buffer, metadata, columns);
  return { columns: fields.map(({ element }) => element.name), unfit, items };
}

async function* itemsOf(
  file: string,
  buffer: Awaited<ReturnType<typeof asyncBufferFromFile>>,
  metadata: FileMetaData,
  columns: string[],
): AsyncGenerator<SourceItem> {
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await readable(file, () =>
      parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd, compressors, parsers: { stringFromBytes } }),
    );
    if (rows.length !== rowEnd - rowStart)
      throw new OSLER_ERR_DATA_FORMAT(path.basename(file), `rows ${rowStart} to ${rowEnd} are not all there`, fetchAgain);
    for (const [index, row] of rows.entries()) {
      const place = `row ${rowStart + index + 1}`;
      const bad = columns.filter((name) => holdsNotUtf8(row[name]));
      yield bad.length === 0 ? { place, value: asJson(row) } : { place, problem: `${bad.join(', ')}: not UTF-8 text` };
    }
    rowStart = rowEnd;
  }
}

function holdsNotUtf8(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsNotUtf8);
  return isRecord(value) ? Object.values(value).some(holdsNotUtf8) : value === notUtf8;
}

/** As the same value would stand in JSON: whole numbers of 64 bits as numbers, times as ISO 8601, what is not there as null. */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(asJson);
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asJson(inner)])) : (value ?? null);
}

const fetchAgain = 'Fetch or write it again.';

async function readable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw error;
    throw new OSLER_ERR_DATA_FORMAT(
      path.basename(file),
      `it is damaged Parquet, or of a kind that is not read (${messageOf(error)})`,
      fetchAgain,
    );
  }
}

function stringFromBytes(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  return isUtf8(bytes) ? decoder.decode(bytes) : notUtf8;
}

function isText({ element, children }: SchemaTree): boolean {
  if (children.length > 0 || element.repetition_type === 'REPEATED' || element.type !== 'BYTE_ARRAY') return false;
  const kind = element.logical_type?.type ?? element.converted_type;
  return kind === 'STRING' || kind === 'UTF8' || kind === 'ENUM' || kind === undefined;
}

/** In the words of a schema: `int64`, `list`, `struct`. */
function typeOf({ element, children }: SchemaTree): string {
  const kind = element.logical_type?.type ?? element.converted_type;
  if (kind !== undefined) return kind.toLowerCase();
  if (element.repetition_type === 'REPEATED') return 'list';
  return children.length > 0 ? 'struct' : (element.type ?? 'unknown').toLowerCase();
}
