import { describe, expect, it } from 'vitest';
import { renderMarkdown } from '../../../../src/eval/report/markdown.ts';
import { summarise } from '../../../../src/eval/summarise.ts';
import { fixtureInput, fixtureTask } from '../evaluation-fixture.ts';

describe('renderMarkdown', () => {
  const report = summarise(
    fixtureInput(fixtureTask([...Array<string>(30).fill('BB'), ...Array<string>(16).fill('BA'), ...Array<string>(14).fill('AA')])),
  );
  const markdown = renderMarkdown(report);

  it('says the verdict right after the title, then the tables', () => {
    expect(markdown.split('\n').slice(0, 3)).toEqual(['# Did tuning help? tuned against base', '', `**${report.verdict.sentence}**`]);
    expect(markdown).toContain('| mini | 60 | 76.7 % (64.6 to 85.6) | 50.0 % (37.7 to 62.3) | -26.7 pp (-38.2 to -15.1) |');
    expect(markdown).toContain('Not a medical device');
  });

  it('keeps every table as wide as its header', () => {
    const tables = markdown.split('\n\n').filter((block) => block.startsWith('|'));
    expect(tables.length).toBeGreaterThan(5);
    for (const table of tables)
      expect(new Set(table.split('\n').map((line) => line.replaceAll(String.raw`\|`, '').split('|').length)).size, table).toBe(1);
  });

  it('does not let names become markup', () => {
    const named = renderMarkdown({
      ...report,
      arms: { ...report.arms, base: { ...report.arms.base, name: '[x](http://evil) | <b>\n# y' } },
    });
    expect(named.split('\n')[0]).toBe(String.raw`# Did tuning help? tuned against \[x\](http://evil) \| &lt;b&gt; \# y`);
  });

  it('prints nothing that is no number', () => {
    for (const text of [markdown, renderMarkdown(summarise(fixtureInput())), renderMarkdown(summarise(fixtureInput(fixtureTask(['BA']))))])
      expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});
