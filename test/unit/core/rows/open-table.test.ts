import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectFormat } from '../../../../src/core/rows/data-format.ts';
import { openTable } from '../../../../src/core/rows/open-table.ts';
import type { WantedColumns } from '../../../../src/core/rows/source-row.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const parquet = (name: string): string => path.join(import.meta.dirname, 'parquet', `${name}.parquet`);
const everything: WantedColumns = { columns: null, values: 'any' };

async function rowsOf(file: string, wanted: WantedColumns): Promise<unknown[]> {
  const table = await openTable(file, await detectFormat(file), wanted);
  const rows: unknown[] = [];
  for await (const item of table.items) rows.push('value' in item ? item.value : item);
  return rows;
}

describe('openTable', () => {
  it('gives numbers, lists and structs of Parquet as JSON would have them', async () => {
    const rows = await rowsOf(parquet('nested'), everything);
    expect(rows).toEqual([
      { n: 3, list: ['a', 'ü'], struct: { texts: ['x'], year: null }, empty: null, time: null },
      { n: null, list: [], struct: { texts: ['y', 'z'], year: 2020 }, empty: null, time: '2026-11-24T00:00:00.000Z' },
    ]);
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  });

  it('reads the wanted columns of it alone', async () => {
    expect(await rowsOf(parquet('nested'), { columns: ['n', 'none'], values: 'any' })).toEqual([{ n: 3 }, { n: null }]);
  });

  it('names bytes that are no UTF-8 also inside a list', async () => {
    expect(await rowsOf(parquet('nested-not-utf8'), everything)).toEqual([{ place: 'row 1', problem: 'list: not UTF-8 text' }]);
  });

  it('keeps every column of CSV where none are named', async () => {
    const file = path.join(temporaryFolder(), 'a.csv');
    await writeFile(file, 'id,opa,opb\n1,x,y\n');
    expect(await rowsOf(file, everything)).toEqual([{ id: '1', opa: 'x', opb: 'y' }]);
    expect(await rowsOf(file, { columns: ['opb'], values: 'text' })).toEqual([{ opb: 'y' }]);
  });
});
