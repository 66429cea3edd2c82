import { isRecord } from '../../core/is-record.ts';
import type { Column, ColumnMapping } from './task-manifest.ts';

/** The value of a column, by its name or by a path into structs; undefined where there is none. */
export function valueOf(row: Readonly<Record<string, unknown>>, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column];
  let value: unknown = row;
  for (const step of column.split('.')) value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  return value;
}

/** A value as trimmed text with plain line ends: numbers as digits, a list joined by line ends; null for what is no text or blank. */
export function textOf(value: unknown): string | null {
  if (Array.isArray(value)) {
    const texts = value.map(textOf).filter((text) => text !== null);
    return texts.length === 0 ? null : texts.join('\n');
  }
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') return null;
  const text = value.replaceAll('\r\n', '\n').trim();
  return text === '' ? null : text;
}

/** The text of a mapped column. */
export function columnText(row: Readonly<Record<string, unknown>>, column: Column | undefined): string | null {
  if (column === undefined) return null;
  if (typeof column === 'string') return textOf(valueOf(row, column));
  const text = textOf(valueOf(row, column.column));
  if (text === null) return null;
  const begun = column.without !== undefined && text.startsWith(column.without) ? text.slice(column.without.length) : text;
  const end = column.upTo === undefined ? -1 : begun.indexOf(column.upTo);
  return textOf(end < 0 ? begun : begun.slice(0, end));
}

/** Columns that a mapping and a filter name and that are in none of the rows. */
export function absentColumns(
  mapping: ColumnMapping,
  where: Readonly<Record<string, string>> | undefined,
  rows: readonly Readonly<Record<string, unknown>>[],
): string[] {
  const { options, answer, ...others } = mapping;
  const optionColumns = typeof options === 'string' ? [options] : Array.isArray(options) ? options : [];
  const named = Object.values(others).flatMap((column) =>
    column === undefined ? [] : typeof column === 'string' ? column : column.column,
  );
  const wanted = [...named, ...optionColumns, ...(answer === undefined ? [] : [answer.column]), ...Object.keys(where ?? {})];
  return [...new Set(wanted)].filter((column) => rows.every((row) => valueOf(row, column) === undefined));
}
