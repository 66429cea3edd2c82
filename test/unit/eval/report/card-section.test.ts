import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCardSection } from '../../../../src/eval/report/card-section.ts';
import { summarise } from '../../../../src/eval/summarise.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { fixtureInput, fixtureTask } from '../evaluation-fixture.ts';

const weights = 'a'.repeat(64);
const base = summarise(fixtureInput(fixtureTask([...Array<string>(30).fill('BB'), ...Array<string>(30).fill('AA')])));
const report = {
  ...base,
  isComplete: true,
  notices: ['small'],
  arms: { ...base.arms, tuned: { ...base.arms.tuned, weightsSha256: weights } },
};

function homeWith(reports: Record<string, object | string>): string {
  const home = temporaryFolder();
  for (const [id, content] of Object.entries(reports)) {
    mkdirSync(path.join(home, 'evaluations', id), { recursive: true });
    writeFileSync(path.join(home, 'evaluations', id, 'report.json'), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return home;
}

describe('findCardSection', () => {
  it('gives verdict, headline tables and notices of the newest complete evaluation of these weights', async () => {
    const home = homeWith({
      old: { ...report, evaluationId: 'old', createdAt: '2026-01-01T00:00:00.000Z' },
      new: { ...report, evaluationId: 'new', createdAt: '2026-02-01T00:00:00.000Z' },
      newest: { ...report, evaluationId: 'incomplete', createdAt: '2026-03-01T00:00:00.000Z', isComplete: false },
      other: { ...report, evaluationId: 'other', createdAt: '2026-04-01T00:00:00.000Z', arms: base.arms },
      broken: '{"half',
    });
    const section = await findCardSection(home, new Set([weights, 'b'.repeat(64)]));
    expect(section).toMatchObject({ id: 'new', notices: ['small'] });
    expect(section?.verdict).toContain(report.verdict.sentence);
    expect(section?.tables).toMatch(/^### Accuracy\n/);
    expect(section?.tables).not.toContain('\n## ');
  });

  it('gives nothing for weights that were not evaluated, for none, and in a home without evaluations', async () => {
    const home = homeWith({ one: { ...report, arms: base.arms } });
    expect(await findCardSection(home, new Set(['c'.repeat(64)]))).toBeUndefined();
    expect(await findCardSection(home, new Set())).toBeUndefined();
    expect(await findCardSection(temporaryFolder(), new Set([weights]))).toBeUndefined();
  });
});
