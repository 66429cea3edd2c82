import { open } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_DATA_FORMAT, OSLER_ERR_FILE_NOT_FOUND } from '../errors.ts';
import type { DataFormat } from './source-row.ts';

const headBytes = 4096;
const formatOfExtension: Readonly<Record<string, DataFormat>> = {
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.parquet': 'parquet',
};

/** First bytes of what people hand over by mistake, and what to do with it. */
const foreign: readonly { readonly starts: readonly number[]; readonly is: string; readonly mend: string }[] = [
  { starts: [0x1f, 0x8b], is: 'gzip', mend: 'Unpack it first' },
  { starts: [0x28, 0xb5, 0x2f, 0xfd], is: 'zstd', mend: 'Unpack it first' },
  { starts: [0x42, 0x5a, 0x68], is: 'bzip2', mend: 'Unpack it first' },
  { starts: [0x50, 0x4b, 0x03, 0x04], is: 'a zip archive or an Excel sheet', mend: 'Unpack it, or save the sheet as CSV (UTF-8)' },
  { starts: [0xff, 0xfe], is: 'UTF-16 text', mend: 'Save it as UTF-8' },
  { starts: [0xfe, 0xff], is: 'UTF-16 text', mend: 'Save it as UTF-8' },
  { starts: [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31], is: 'an Arrow file', mend: 'Save it as Parquet' },
];

/** Whether a name ends as a file of rows does. */
export function isDataFile(name: string): boolean {
  return path.extname(name).toLowerCase() in formatOfExtension;
}

/**
 * The format of a file, by its name and its first bytes: a Parquet file is one under any name, and `.json` may hold JSON Lines.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_FORMAT for what is no file of rows
 */
export async function detectFormat(file: string): Promise<DataFormat> {
  const name = path.basename(file);
  const head = await readHead(file);
  const named = formatOfExtension[path.extname(file).toLowerCase()];
  if (head.subarray(0, 4).toString('latin1') === 'PAR1') return 'parquet';
  const other = foreign.find(({ starts }) => starts.every((byte, index) => head[index] === byte));
  if (other !== undefined) throw new OSLER_ERR_DATA_FORMAT(name, `it is ${other.is}`, `${other.mend}.`);
  if (named === 'parquet')
    throw new OSLER_ERR_DATA_FORMAT(
      name,
      'it is called Parquet and does not begin with "PAR1"',
      'Fetch or write it again; it may be cut off.',
    );
  if (named === 'csv' || named === 'tsv') return named;
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text.startsWith('[')) return 'json';
  if (named !== undefined || text.startsWith('{')) return 'jsonl';
  throw new OSLER_ERR_DATA_FORMAT(
    name,
    'its name ends in none of .json, .jsonl, .csv, .tsv and .parquet, and its text is no JSON',
    'Rename it after what it holds.',
  );
}

async function readHead(file: string): Promise<Buffer> {
  let handle;
  try {
    handle = await open(file, 'r');
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR', 'ENOTDIR'].includes(String(error.code)))
      throw new OSLER_ERR_FILE_NOT_FOUND(file);
    throw error;
  } finally {
    await handle?.close();
  }
}
