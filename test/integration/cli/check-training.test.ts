import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TrainingCheck } from '../../../src/core/schema/training-check.ts';
import { runOsler } from '../support/cli.ts';

let home = '';
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'osler-check-'));
});
afterEach(async () => await rm(home, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  await writeFile(path.join(home, name), text);
  return path.join(home, name);
}

describe('osler train --check', () => {
  it('ends with 3 on rows that cannot be trained on, naming all of them, and makes no run', async () => {
    const rows = await write('rows.csv', 'Question,Complex_CoT,Response\nq1,t1,a1\nq2,,a2\nq3,t3\nq4,"t4,a4\n');
    const result = await runOsler(['train', '--check', '--data', rows], { home });
    expect([result.exitCode, result.stderr]).toEqual([3, expect.not.stringContaining('unexpected')]);
    expect(result.stdout).toMatch(/^FAIL {2}rowsInvalid/);
    for (const place of ['line 3: Complex_CoT: must not be blank', 'line 4: has 2 fields', 'line 5: a quote is opened and never closed'])
      expect(result.stdout).toContain(place);
    expect(result.stdout).toContain('This training cannot start');
    expect(await readdir(home)).not.toContain('runs');
  });

  it('says the same as JSON', async () => {
    const rows = await write('rows.jsonl', '{"prompt":"q","cot":"t","response":"a"}\n');
    const result = await runOsler(['train', '--check', '--json', '--data', rows, '--split', 'train[0:5]'], { home });
    expect(result.exitCode).toBe(3);
    const check = TrainingCheck.parse(JSON.parse(result.stdout));
    expect(check.findings.map(({ code, setting, value }) => [code, setting, value])).toEqual([
      ['columnsMissing', 'data.columns.question', 'prompt'],
      ['columnsMissing', 'data.columns.thought', 'cot'],
      ['columnsMissing', 'data.columns.answer', 'response'],
    ]);
  });

  it('ends with 2 on a split that cannot be read', async () => {
    const result = await runOsler(['train', '--check', '--split', 'train[0-5]'], { home });
    expect([result.exitCode, result.stderr.includes('train[:10%]')]).toEqual([2, true]);
  });
});
