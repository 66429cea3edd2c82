import { appendFileSync, closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from 'node:fs';
import { readFile, truncate } from 'node:fs/promises';
import { OSLER_ERR_DATA_ROWS } from '../core/errors.ts';
import { type Arm, EvaluationRecord } from './schema/sample.ts';

/** What makes a record the only one of its kind. */
export function recordKey(record: { kind: EvaluationRecord['kind']; task: string; itemId: string; arm: Arm; attempt?: number }): string {
  return JSON.stringify([record.kind, record.task, record.itemId, record.arm, record.attempt ?? 0]);
}

/**
 * samples.jsonl: every record is appended the moment it is done, in one write, so a kill at any point loses none.
 * A half line that a kill left at the end is cut off when the file is opened again.
 */
export class SampleLog {
  readonly records: EvaluationRecord[];
  readonly #descriptor: number;

  private constructor(file: string, records: EvaluationRecord[]) {
    this.records = records;
    this.#descriptor = openSync(file, 'a');
  }

  /** Opens or creates the file. Throws OSLER_ERR_DATA_ROWS where a whole line is no record. */
  static async open(file: string): Promise<SampleLog> {
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end < bytes.length) await truncate(file, end);
    return new SampleLog(file, parseRecords(file, bytes.subarray(0, end).toString('utf8')));
  }

  append(record: EvaluationRecord): void {
    const { size } = fstatSync(this.#descriptor);
    try {
      appendFileSync(this.#descriptor, `${JSON.stringify(record)}\n`);
    } catch (error) {
      // A full disk may have taken half a line, and the next record would be glued to it.
      ftruncateSync(this.#descriptor, size);
      throw error;
    }
    this.records.push(record);
  }

  close(): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }
}

function parseRecords(file: string, text: string): EvaluationRecord[] {
  const problems: string[] = [];
  const records = text.split('\n').flatMap((line, index) => {
    if (line === '') return [];
    const parsed = EvaluationRecord.safeParse(safeJson(line));
    if (parsed.success) return [parsed.data];
    problems.push(`  line ${index + 1}: no evaluation record`);
    return [];
  });
  if (problems.length > 0) throw new OSLER_ERR_DATA_ROWS(file, problems.length, problems.slice(0, 20).join('\n'));
  return records;
}

function safeJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
