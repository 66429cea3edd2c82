import path from 'node:path';

/** A text of this machine as others may read it: of a path only the last name is left, of one inside a text what is below the home. */
export function publicText(text: string, home: string): string {
  if (text.startsWith(home) || path.isAbsolute(text) || /^\.{1,2}[/\\]|^~[/\\]|^[a-z]:[/\\]/i.test(text)) return path.basename(text);
  return text.replaceAll(`${home}${path.sep}`, '');
}

/** JSON with `publicText` for every text in it. */
export function publicJson(value: unknown, home: string): unknown {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === 'string' ? publicText(inner, home) : inner,
  ) as unknown;
}

/** Names and messages of others as Markdown that is only text: no markup, links, cells or lines of their own. */
export function escapeMarkdown(text: string): string {
  const entities: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };
  return text.replaceAll(/[\\`*_[\]<>|#&]/g, (character) => entities[character] ?? `\\${character}`).replaceAll(/\s+/g, ' ');
}

/** A table of texts that are Markdown already. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
