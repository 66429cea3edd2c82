import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { listEvaluationTexts } from '../../../src/eval/evaluation-texts.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const now = new Date('2026-11-24T12:00:00Z');
const daysAgo = (days: number): Date => new Date(now.getTime() - days * 24 * 3600 * 1000);
const secret = 'a patient with angina';

/** An evaluation that was last written so many days ago. */
function writeEvaluation(home: string, id: string, days: number, options: { isFinished?: boolean } = {}): string {
  const folder = path.join(home, 'evaluations', id);
  mkdirSync(folder, { recursive: true });
  const files: Record<string, string> = {
    'evaluation.json': JSON.stringify({ tasks: [secret] }),
    'samples.jsonl': `${secret}\n`,
    ...(options.isFinished !== false && {
      'report.json': JSON.stringify({ verdict: { kind: 'none' }, items: [{ question: secret }] }),
      'report.md': '# Did tuning help?',
      'report.html': `<p>${secret}</p>`,
    }),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), text);
    utimesSync(path.join(folder, name), daysAgo(days), daysAgo(days));
  }
  return folder;
}

const list = async (home: string, days: number) => await listEvaluationTexts(home, daysAgo(days), now);

describe('listEvaluationTexts', () => {
  it('lists evaluations that nobody has written since, and removes what they quote', async () => {
    const home = temporaryFolder();
    const folder = writeEvaluation(home, 'eval-old', 40);
    writeEvaluation(home, 'eval-new', 5);
    const found = await list(home, 30);
    expect(found.map(({ kind, name }) => [kind, name])).toEqual([['samples', 'eval-old']]);
    expect(found[0]?.bytes).toBeGreaterThan(4 * secret.length);
    await found[0]?.remove();
    expect(readdirSync(folder).toSorted()).toEqual(['report.json', 'report.md']);
    for (const name of readdirSync(folder)) expect(readFileSync(path.join(folder, name), 'utf8')).not.toContain(secret);
    // The figures are still there, in the report's own form.
    expect(JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8'))).toEqual({ verdict: { kind: 'none' }, items: [] });
    expect(await list(home, 30)).toEqual([]);
    expect(existsSync(path.join(home, 'evaluations/eval-new/samples.jsonl'))).toBe(true);
  });

  it('leaves an evaluation that may be at work, and takes one that was given up', async () => {
    const home = temporaryFolder();
    writeEvaluation(home, 'eval-running', 0.5, { isFinished: false });
    writeEvaluation(home, 'eval-finished', 0.5);
    writeEvaluation(home, 'eval-given-up', 3, { isFinished: false });
    expect((await list(home, 0.1)).map(({ name }) => name).toSorted()).toEqual(['eval-finished', 'eval-given-up']);
  });

  it('goes on where a removal was broken off', async () => {
    const home = temporaryFolder();
    const folder = writeEvaluation(home, 'eval-half', 40);
    writeFileSync(path.join(folder, 'report.json'), '{"items": []}');
    const found = await list(home, 30);
    expect(found).toHaveLength(1);
    await found[0]?.remove();
    expect(readdirSync(folder).toSorted()).toEqual(['report.json', 'report.md']);
  });

  it('finds none in a home without evaluations', async () => {
    expect(await list(temporaryFolder(), 30)).toEqual([]);
  });
});
