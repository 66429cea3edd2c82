import type { Report } from '../schema/report.ts';
import { detailTables, headlineTables, type ReportTable } from './tables.ts';

/** The report as Markdown, verdict first. Prints what `report.json` says and computes nothing. */
export function renderMarkdown(report: Report): string {
  const { verdict, notices, researchOnly, arms } = report;
  const blocks = [
    `# Did tuning help? ${escapeMarkdown(arms.tuned.name)} against ${escapeMarkdown(arms.base.name)}`,
    `**${escapeMarkdown(verdict.sentence)}**`,
    verdict.secondarySentence === null ? '' : escapeMarkdown(verdict.secondarySentence),
    `> ${escapeMarkdown(researchOnly)}`,
    notices.map((notice) => `- ${escapeMarkdown(notice)}`).join('\n'),
    ...[...headlineTables(report), ...detailTables(report)].map(renderTable),
    ...report.tasks.map(
      ({ task, flips }) => `### ${escapeMarkdown(task)}: flips\n\n- gained: ${listIds(flips.gained)}\n- lost: ${listIds(flips.lost)}`,
    ),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** One table with its title and note. */
export function renderTable({ title, note, header, rows }: ReportTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  const table = rows.length === 0 ? '(none)' : [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
  return [`## ${escapeMarkdown(title)}`, escapeMarkdown(note), table].filter((part) => part !== '').join('\n\n');
}

function listIds(ids: readonly string[]): string {
  return ids.length === 0 ? 'none' : ids.map(escapeMarkdown).join(', ');
}

// Names and ids come from files of others: they must not become markup, links or table cells.
function escapeMarkdown(text: string): string {
  return text
    .replaceAll(/[\\`*_[\]<>|#&]/g, (character) =>
      character === '<' ? '&lt;' : character === '>' ? '&gt;' : character === '&' ? '&amp;' : `\\${character}`,
    )
    .replaceAll(/\s+/g, ' ');
}
