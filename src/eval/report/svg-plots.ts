import type { LengthDistribution, Report, TaskReport } from '../schema/report.ts';
import { escapeHtml } from './escape-html.ts';
import { formatDifference } from './format-number.ts';

// Narrow, so that the letters stay legible when a phone scales the drawing down.
const width = 460;

/** Difference of each benchmark with its interval, and the line of no difference; empty without an interval. */
export function plotDifferences({ tasks, accuracyOverall }: Report): string {
  const named = tasks.map(({ task, difference }) => ({ name: task, difference }));
  if (tasks.length > 1 && accuracyOverall !== null) named.push({ name: 'mean of benchmarks', difference: accuracyOverall });
  const rows = named.flatMap(({ name, difference }) => (difference.isEstimable ? [{ name, difference }] : []));
  if (rows.length === 0) return '';
  const reach = niceReach(Math.max(...rows.flatMap(({ difference }) => [Math.abs(difference.low), Math.abs(difference.high)])));
  const height = 46 * rows.length + 46;
  const x = (value: number): number => round(width / 2 + Math.max(-1, Math.min(1, value / reach)) * (width / 2 - 24));
  const ticks = [-reach, -reach / 2, 0, reach / 2, reach].map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="8" y2="${height - 38}" class="${tick === 0 ? 'zero' : 'grid'}"/><text x="${x(tick)}" y="${height - 22}" text-anchor="middle">${tick > 0 ? '+' : ''}${round(tick)}</text>`,
  );
  const bars = rows.map(({ name, difference }, index) => {
    const y = 36 + 46 * index;
    const tone = difference.low > 0 ? 'gain' : difference.high < 0 ? 'loss' : 'same';
    return `<g class="${tone}"><text x="0" y="${y - 14}" class="label">${escapeHtml(name)}: ${escapeHtml(formatDifference(difference))}</text><line x1="${x(difference.low)}" x2="${x(difference.high)}" y1="${y}" y2="${y}" class="interval"/><circle cx="${x(difference.mean)}" cy="${y}" r="5"/></g>`;
  });
  return svg(height, 'Difference in accuracy, tuned minus base, with 95 % intervals', [
    ...ticks,
    ...bars,
    `<text x="${width / 2}" y="${height - 5}" text-anchor="middle">percentage points, tuned minus base</text>`,
  ]);
}

/** One bar a benchmark: gained, lost, both right, both wrong. */
export function plotFlips(tasks: readonly TaskReport[]): string {
  const drawn = tasks.filter(({ items }) => items > 0);
  if (drawn.length === 0) return '';
  const bars = drawn.map(({ task, items, flips }, index) => {
    const y = 50 * index;
    let left = 0;
    const parts = (['bothRight', 'gained', 'lost', 'bothWrong'] as const).map((flip) => {
      const length = (flips[flip].length / items) * width;
      const start = left;
      left += length;
      return length === 0
        ? ''
        : `<rect x="${round(start)}" y="${y + 20}" width="${round(length)}" height="24" class="${flip}"><title>${flipNames[flip]}: ${flips[flip].length}</title></rect>`;
    });
    return `<text x="0" y="${y + 14}" class="label">${escapeHtml(task)}: ${flips.gained.length} gained, ${flips.lost.length} lost of ${items}</text>${parts.join('')}`;
  });
  return (
    svg(50 * drawn.length, 'Items by what became of them', bars) +
    legend(['bothRight', 'gained', 'lost', 'bothWrong'].map((flip) => [flip, flipNames[flip] ?? flip]))
  );
}

const flipNames: Readonly<Record<string, string>> = { gained: 'gained', lost: 'lost', bothRight: 'both right', bothWrong: 'both wrong' };

/** Lengths of both arms over each other, with medians. */
export function plotLengths(title: string, { binWidthTokens, arms }: LengthDistribution): string {
  const height = 170;
  const tallest = Math.max(1, ...arms.base.bins, ...arms.tuned.bins);
  const span = arms.base.bins.length * binWidthTokens;
  const x = (tokens: number): number => round((tokens / span) * width);
  const outline = (bins: readonly number[]): string => {
    const steps = bins.map((count, bin) => `V${round(130 - (count / tallest) * 120)}H${x((bin + 1) * binWidthTokens)}`);
    return `M0 130${steps.join('')}V130Z`;
  };
  const marks = (['base', 'tuned'] as const).map(
    (arm) =>
      `<path d="${outline(arms[arm].bins)}" class="${arm}"/><line x1="${x(arms[arm].median)}" x2="${x(arms[arm].median)}" y1="6" y2="130" class="median ${arm}"/>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (part) =>
      `<text x="${part * width}" y="148" text-anchor="${part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}">${Math.round(part * span)}</text>`,
  );
  return (
    svg(height, title, [
      ...marks,
      ...ticks,
      `<text x="${width / 2}" y="166" text-anchor="middle">${escapeHtml(title)}; lines: medians</text>`,
    ]) +
    legend([
      ['base', `base, median ${arms.base.median.toFixed(0)}`],
      ['tuned', `tuned, median ${arms.tuned.median.toFixed(0)}`],
    ])
  );
}

function svg(height: number, label: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}">${parts.join('')}</svg>`;
}

function legend(entries: readonly (readonly [string, string] | readonly string[])[]): string {
  return `<p class="legend">${entries.map(([tone, text]) => `<span class="key ${escapeHtml(tone ?? '')}"></span>${escapeHtml(text ?? '')}`).join(' ')}</p>`;
}

// Tiny samples have intervals beyond what a difference can be; the axis ends at 100.
function niceReach(value: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  if (value > 100) return 100;
  return ([1, 2, 4, 5, 10].find((factor) => factor * magnitude >= value) ?? 10) * magnitude;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
