import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import { embedJson, escapeHtml } from '../../../../src/eval/report/escape-html.ts';
import { renderHtml } from '../../../../src/eval/report/html.ts';
import { summarise } from '../../../../src/eval/summarise.ts';
import { fixtureInput, fixtureItem, fixtureSample, fixtureTask } from '../evaluation-fixture.ts';

const planted = '</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \u2028 Answer: B';
const item = fixtureItem('<b>1</b>', { question: `Planted ${planted}?`, subject: '"><script>alert(3)</script>' });
const other = fixtureItem('2');
const report = summarise(
  fixtureInput({
    tasks: [{ task: '<i>mini</i>', items: [item, other], measures: ['generation'] }],
    records: [item, other].flatMap((entry) => [
      fixtureSample('base', entry, 'A', { task: '<i>mini</i>' }),
      fixtureSample(
        'tuned',
        entry,
        'B',
        entry === item ? { task: '<i>mini</i>', thought: planted, answer: planted } : { task: '<i>mini</i>', answer: 'no' },
      ),
    ]),
    notices: ['<script>alert(4)</script>'],
    hardware: { '<u>': planted },
  }),
);
const html = renderHtml(report);

describe('renderHtml', () => {
  it('never lets planted text become markup', () => {
    expect(html.match(/<script/gi)).toHaveLength(2);
    expect(html.match(/<\/script/gi)).toHaveLength(2);
    for (const markup of ['<img', '<b>1', '<i>mini', '<u>', '<!--']) expect(html, markup).not.toContain(markup);
  });

  it('gives the browser the items unchanged', () => {
    const data = /<script type="application\/json" id="items">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(JSON.parse(data)).toEqual(report.items);
  });

  it('says the verdict first and the notice of research use', () => {
    const full = renderHtml(summarise(fixtureInput(fixtureTask([...Array<string>(30).fill('BB'), ...Array<string>(12).fill('BA')]))));
    expect(full.indexOf('Tuning made it worse')).toBeGreaterThan(0);
    expect(full.indexOf('Tuning made it worse')).toBeLessThan(full.indexOf('<table'));
    expect(full).toContain('Not a medical device');
    expect(full.match(/<svg/g)).toHaveLength(4);
  });

  it('loads nothing and lets only its own script run', () => {
    expect(html).not.toMatch(/\b(?:src|href)=["']?(?:https?:|\/\/)/i);
    expect(html).not.toMatch(/@import|url\(/i);
    const script = /<script>(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(html).toContain(`script-src &#39;sha256-${Buffer.from(sha256(script), 'hex').toString('base64')}&#39;`);
    expect(script).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(/);
    expect(() => new Script(script)).not.toThrow();
  });

  it('draws a report without any items', () => {
    expect(renderHtml(summarise(fixtureInput()))).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('escapeHtml and embedJson', () => {
  it('leave no character that ends their context', () => {
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe('&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
    expect(embedJson({ text: '</script><!--\u2028' })).toBe(String.raw`{"text":"\u003c/script>\u003c!--\u2028"}`);
  });
});
