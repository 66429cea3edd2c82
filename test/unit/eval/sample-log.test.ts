import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordKey, SampleLog } from '../../../src/eval/sample-log.ts';
import type { EvaluationRecord } from '../../../src/eval/schema/sample.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { fixtureItem, fixtureLikelihood, fixtureSample } from './evaluation-fixture.ts';

const item = fixtureItem('q1');
const records: EvaluationRecord[] = [
  fixtureSample('base', item, 'B', { thought: 'Two lines,\nand a – 😀.' }),
  fixtureSample('tuned', item, null),
  fixtureLikelihood('base', item, 12.5, 3.25),
];
const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
const newFile = (): string => path.join(temporaryFolder(), 'samples.jsonl');

describe('SampleLog', () => {
  it('creates the file and keeps every record as one line, at once', async () => {
    const file = newFile();
    const log = await SampleLog.open(file);
    expect(log.records).toEqual([]);
    for (const [index, record] of records.entries()) {
      log.append(record);
      expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(index + 2);
    }
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(log.records).toEqual(records);
    log.close();
  });

  it('opens again with all records and appends behind them', async () => {
    const file = newFile();
    await writeFile(file, text);
    const log = await SampleLog.open(file);
    expect(log.records).toEqual(records);
    log.append(fixtureLikelihood('tuned', item, 1, 1));
    log.close();
    expect(await readFile(file, 'utf8')).toBe(`${text}${JSON.stringify(fixtureLikelihood('tuned', item, 1, 1))}\n`);
  });

  it('cuts off the half line of a kill, wherever it broke off, and keeps all records before it', async () => {
    const file = newFile();
    const bytes = Buffer.from(text);
    const lineEnds = [...bytes.entries()].flatMap(([place, byte]) => (byte === 0x0a ? [place + 1] : []));
    // Every place of the last two lines and the character of four bytes in the first one.
    const emoji = bytes.indexOf(Buffer.from('😀'));
    const places = [0, 1, emoji + 1, emoji + 2, ...Array.from({ length: 60 }, (_value, step) => bytes.length - 1 - step * 7)];
    for (const place of places) {
      await writeFile(file, bytes.subarray(0, place));
      const log = await SampleLog.open(file);
      const whole = lineEnds.filter((end) => end <= place);
      expect(log.records).toEqual(records.slice(0, whole.length));
      log.append(records[2] ?? fixtureSample('base', item, 'B'));
      log.close();
      expect(await readFile(file, 'utf8')).toBe(`${bytes.toString('utf8', 0, whole.at(-1) ?? 0)}${JSON.stringify(records[2])}\n`);
    }
  });

  it('reports whole lines that are no records, all together, and leaves them as they are', async () => {
    const file = newFile();
    const lines = [JSON.stringify(records[0]), 'nope', JSON.stringify({ ...records[1], arm: 'third' }), JSON.stringify(records[2]), '{}'];
    const broken = `${lines.join('\n')}\n`;
    await writeFile(file, broken);
    const error = await errorOf(() => SampleLog.open(file));
    expect(error.code).toBe('OSLER_ERR_DATA_ROWS');
    expect(error.message).toContain('has 3 unusable row(s)');
    expect(error.message.match(/line \d+/g)).toEqual(['line 2', 'line 3', 'line 5']);
    expect(await readFile(file, 'utf8')).toBe(broken);
  });
});

describe('recordKey', () => {
  it('tells records apart by kind, task, item, arm and attempt, and by nothing else', () => {
    const sample = fixtureSample('base', item, 'B');
    const keys = [
      sample,
      { ...sample, task: 'other' },
      { ...sample, itemId: 'other' },
      { ...sample, arm: 'tuned' as const },
      { ...sample, attempt: 1 },
      fixtureLikelihood('base', item, 1, 1),
    ].map(recordKey);
    expect(new Set(keys).size).toBe(keys.length);
    const drawnAnew = { ...sample, seed: 9, thought: 'other' };
    expect(recordKey(drawnAnew)).toBe(recordKey(sample));
  });
});
