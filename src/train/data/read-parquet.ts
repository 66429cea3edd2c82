import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema, type FileMetaData, type SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf, OSLER_ERR_DATA_FORMAT } from '../../core/errors.ts';
import type { SourceItem, SourceTable } from './source-row.ts';

/** Stands for bytes of a text column that are no UTF-8. */
const notUtf8 = Symbol('bytes that are not UTF-8');
const decoder = new TextDecoder();

/**
 * Parquet with any codec but LZO, a row group at a time and only the wanted columns.
 *
 * @throws OSLER_ERR_DATA_FORMAT where the file is damaged
 */
export async function readParquet(file: string, wanted: readonly string[]): Promise<SourceTable> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await readable(file, () => parquetMetadataAsync(buffer));
  const fields = parquetSchema(metadata).children;
  const present = fields.filter(({ element }) => wanted.includes(element.name));
  const unfit = present.flatMap((field) => (isText(field) ? [] : [{ column: field.element.name, type: typeOf(field) }]));
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
      const bad = columns.filter((name) => row[name] === notUtf8);
      yield bad.length === 0 ? { place, value: row } : { place, problem: `${bad.join(', ')}: not UTF-8 text` };
    }
    rowStart = rowEnd;
  }
}

const fetchAgain = 'Fetch or write it again.';

async function readable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw error;
    throw new OSLER_ERR_DATA_FORMAT(path.basename(file), `it is damaged Parquet, or of a kind that is not read (${messageOf(error)})`, fetchAgain);
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
