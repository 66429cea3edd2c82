import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { isRecord } from '../../core/is-record.ts';

/** The front matter of a card on disk; empty where there is none that can be read. */
export async function readFrontMatter(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const front = /^---\r?\n(.*?)\r?\n---/s.exec(text)?.[1] ?? '';
  const document = parseDocument(front);
  const value: unknown = document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 });
  return isRecord(value) ? value : {};
}
