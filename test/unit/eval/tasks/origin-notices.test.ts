import { describe, expect, it } from 'vitest';
import type { TaskOrigin } from '../../../../src/eval/schema/task-origin.ts';
import { originNotices } from '../../../../src/eval/tasks/origin-notices.ts';

const origin: TaskOrigin = {
  source: 's',
  revision: 'r',
  licence: 'l',
  hub: null,
  files: ['a.jsonl'],
  rows: 50,
  dropped: [],
  kept: [],
  choice: null,
};
const reasons = (count: number) =>
  Array.from({ length: count }, (_value, index) => ({ place: `line ${index + 1}`, reason: 'answer: there is none' }));

describe('originNotices', () => {
  it('says nothing where nothing is to say', () => {
    expect(originNotices([{ task: 'a', origin }, { task: 'b' }])).toEqual([]);
  });

  it('counts rows, not reasons, and names them', () => {
    const dropped = [...reasons(1), { place: 'line 1', reason: 'question: is blank' }];
    expect(originNotices([{ task: 'a', origin: { ...origin, dropped } }])).toEqual([
      'a: 1 of 50 rows were left out as they cannot be used (line 1: answer: there is none; line 1: question: is blank).',
    ]);
    expect(originNotices([{ task: 'a', origin: { ...origin, dropped: reasons(12) } }])[0]).toMatch(/; and 2 more\)\.$/);
  });

  it('tells of faults that were let pass, and of a branch that was resolved', () => {
    const commit = 'a'.repeat(40);
    const notices = originNotices([{ task: 'a', origin: { ...origin, kept: reasons(1), hub: { repo: 'o/n', revision: 'main', commit } } }]);
    expect(notices).toHaveLength(2);
    expect(notices[0]).toContain('a: 1 of 50 rows have a fault in their published form');
    expect(notices[1]).toContain(`"main" of o/n when this was planned: commit ${commit}`);
    expect(originNotices([{ task: 'a', origin: { ...origin, hub: { repo: 'o/n', revision: commit, commit } } }])).toEqual([]);
  });

  it('says a caution once for all tasks that have it', () => {
    const cautioned = { ...origin, caution: 'Know this.' };
    expect(
      originNotices([
        { task: 'a', origin: cautioned },
        { task: 'b', origin },
        { task: 'c', origin: cautioned },
      ]),
    ).toEqual(['a, c: Know this.']);
  });
});
