import { sha256 } from '../../core/digest.ts';
import type { Report } from '../schema/report.ts';
import { embedJson, escapeHtml } from './escape-html.ts';
import { htmlBrowserScript } from './html-browser-script.ts';
import { htmlStyle } from './html-style.ts';
import { plotDifferences, plotFlips, plotLengths } from './svg-plots.ts';
import { detailTables, headlineTables, type ReportTable } from './tables.ts';

/**
 * The report as one HTML page that loads nothing, verdict first. Prints what `report.json` says and computes nothing but
 * the places of marks in a plot. All text is escaped, and the policy in its head lets only our own script run.
 */
export function renderHtml(report: Report): string {
  const { verdict, arms, notices, researchOnly, format } = report;
  const scriptDigest = Buffer.from(sha256(htmlBrowserScript), 'hex').toString('base64');
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptDigest}'; base-uri 'none'; form-action 'none'`;
  const title = `Did tuning help? ${arms.tuned.name} against ${arms.base.name}`;
  const plots = [
    plotDifferences(report),
    plotFlips(report.tasks),
    ...(format === null
      ? []
      : [plotLengths('Thought length in tokens', format.thoughtTokens), plotLengths('Answer length in tokens', format.answerTokens)]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${htmlStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="verdict ${verdict.kind}">${escapeHtml(verdict.sentence)}</p>
${verdict.secondarySentence === null ? '' : `<p>${escapeHtml(verdict.secondarySentence)}</p>`}
<p class="research">${escapeHtml(researchOnly)}</p>
${notices.length === 0 ? '' : `<ul>${notices.map((notice) => `<li>${escapeHtml(notice)}</li>`).join('')}</ul>`}
</header>
<main>
${headlineTables(report).map(renderTable).join('\n')}
<section class="plots">${plots
    .filter((plot) => plot !== '')
    .map((plot) => `<div>${plot}</div>`)
    .join('')}</section>
${report.items.length === 0 ? '' : flipBrowser}
${detailTables(report).map(renderTable).join('\n')}
</main>
${report.items.length === 0 ? '' : `<script type="application/json" id="items">${embedJson(report.items)}</script>\n<script>${htmlBrowserScript}</script>`}
</body>
</html>
`;
}

const flipBrowser = `<section>
<h2>What the models said</h2>
<noscript><p class="note">Browsing single items needs JavaScript; it stays in this file and loads nothing.</p></noscript>
<div class="filters">
<label>became <select id="flip"><option value="">all</option></select></label>
<label>benchmark <select id="task"><option value="">all</option></select></label>
<label>subject <select id="subject"><option value="">all</option></select></label>
</div>
<p class="note" id="counter" aria-live="polite"></p>
<div id="list"></div>
<button id="more" type="button" hidden>Show more</button>
</section>`;

const longCell = 48;

function renderTable({ title, note, header, rows }: ReportTable): string {
  const cell = (text: string): string => `<td${text.length > longCell ? ' class="long"' : ''}>${escapeHtml(text)}</td>`;
  const head = header.every((text) => text === '')
    ? ''
    : `<thead><tr>${header.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')}</tr></thead>`;
  const body = `<tbody>${rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('')}</tbody>`;
  return `<section><h2>${escapeHtml(title)}</h2>${note === '' ? '' : `<p class="note">${escapeHtml(note)}</p>`}${rows.length === 0 ? '<p>None.</p>' : `<div class="scroll"><table${header.length > 2 ? ' class="wide"' : ''}>${head}${body}</table></div>`}</section>`;
}
