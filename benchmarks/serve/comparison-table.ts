import { type Cell, figureNames, figureOf, figures, ratioOf } from './comparison.ts';
import { type ServerName, serverNames } from './server-process.ts';
import { meanOf, type Spread } from './statistics.ts';

const titleWidth = 28;
const columnWidth = 26;

/** One load as text: medians over the rounds side by side, and ratios with their least and greatest. */
export function renderCell(cell: Cell): string {
  const { workload, clients, rounds } = cell;
  const title = `${workload} prompts, ${clients} ${clients === 1 ? 'client' : 'clients'}, ${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'}`;
  const rows = figureNames.map((name) => {
    const columns = serverNames.map((server) => showSpread(figureOf(cell, name, server), 'figure'));
    return renderRow(figures[name].title, [...columns, showSpread(ratioOf(cell, name), 'ratio')]);
  });
  const head = renderRow('', [...serverNames, 'ours / llama-server']);
  return [title, head, ...rows, ...serverNames.flatMap((server) => describeWork(cell, server))].join('\n');
}

function renderRow(title: string, columns: readonly string[]): string {
  return `  ${title.padEnd(titleWidth)}${columns.map((text) => text.padStart(columnWidth)).join('')}`;
}

/** `median [least, greatest]`; tenths only where they are a noticeable part. */
function showSpread(spread: Spread | undefined, kind: 'figure' | 'ratio'): string {
  if (spread === undefined) return '-';
  const digits = kind === 'ratio' ? 2 : spread.median < 1000 ? 1 : 0;
  return `${spread.median.toFixed(digits)} [${spread.min.toFixed(digits)}, ${spread.max.toFixed(digits)}]`;
}

/** What was done, so that unequal work shows. */
function describeWork(cell: Cell, server: ServerName): string[] {
  const all = cell.rounds.flatMap(({ measurements: { [server]: one } }) => (one === undefined ? [] : [one]));
  if (all.length === 0) return [];
  const mean = (read: (one: (typeof all)[number]) => number): number => meanOf(all.map((one) => read(one)));
  return [
    `  ${server}: ${mean((one) => one.meanPromptTokens).toFixed(0)} prompt tokens (${mean((one) => one.meanCachedTokens).toFixed(0)} cached) and ` +
      `${mean((one) => one.meanCompletionTokens).toFixed(1)} new ones a request, ` +
      `${all.reduce((sum, one) => sum + one.endedEarly, 0)} of ${all.reduce((sum, one) => sum + one.requests, 0)} ended early; ` +
      `cores: server ${mean((one) => one.serverCores ?? 0).toFixed(2)}, client ${mean((one) => one.clientCores).toFixed(3)}, others ${mean((one) => one.otherCores ?? 0).toFixed(2)}`,
  ];
}
