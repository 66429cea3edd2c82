import { constants } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_DATA_FORMAT } from '../errors.ts';
import { faultPosition } from './json-fault.ts';
import type { SourceItem, SourceTable } from './source-row.ts';
import { linesThatAreNotUtf8 } from './utf8-lines.ts';

/**
 * One JSON array of rows, read whole: about twice the file's size in memory.
 *
 * @throws OSLER_ERR_DATA_FORMAT above the longest string that there can be (512 MB)
 */
export function readJsonArray(file: string): SourceTable {
  return { columns: null, unfit: [], items: items(file) };
}

async function* items(file: string): AsyncGenerator<SourceItem> {
  if ((await stat(file)).size > constants.MAX_STRING_LENGTH)
    throw new OSLER_ERR_DATA_FORMAT(
      path.basename(file),
      'it is one JSON array of more than 512 MB',
      'Save it as JSON Lines (one object a line) or as Parquet.',
    );
  const bytes = await readFile(file);
  const broken = linesThatAreNotUtf8(bytes);
  for (const line of broken) yield { place: `line ${line}`, problem: 'not UTF-8 text; save the file as UTF-8' };
  if (broken.length > 0) return;
  const parsed = parseArray(bytes.toString('utf8'));
  if ('problem' in parsed) yield parsed;
  else for (const [index, value] of parsed.rows.entries()) yield { place: `row ${index + 1}`, value };
}

function parseArray(withMark: string): { rows: unknown[] } | { place: string; problem: string } {
  const text = withMark.startsWith('\uFEFF') ? withMark.slice(1) : withMark;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? { rows: value } : { place: 'line 1', problem: 'not a JSON array' };
  } catch {
    const position = faultPosition(text);
    const before = position === null ? text.trimEnd() : text.slice(0, position);
    const line = before.split('\n').length;
    if (position === null) return { place: `line ${line}`, problem: 'not valid JSON: it ends too early' };
    const character = position - text.lastIndexOf('\n', position - 1);
    return { place: `line ${line}`, problem: `not valid JSON: wrong at character ${character}; what follows was not read` };
  }
}
