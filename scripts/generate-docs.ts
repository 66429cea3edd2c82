/** Writes the reference pages that are made from the program; `--check` fails where the committed ones are stale. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { program } from '../src/cli/program.ts';
import { environmentSchema } from '../src/core/config.ts';
import * as errors from '../src/core/errors.ts';
import { exitCodeOf, isOslerError } from '../src/core/errors.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { httpApiPage } from './http-api-page.ts';

const pages: Record<string, string> = {
  'errors.md': errorsPage(),
  'configuration.md': configurationPage(),
  'cli.md': cliPage(),
  'http-api.md': await httpApiPage(),
};
const stale: string[] = [];
for (const [name, text] of Object.entries(pages)) {
  const file = path.join(packageRoot, 'docs', name);
  if (!process.argv.includes('--check')) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) stale.push(`docs/${name}`);
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run npm run generate`);
  process.exitCode = 1;
}

function errorsPage(): string {
  const rows = Object.entries(errors).flatMap(([name, value]) => {
    if (!name.startsWith('OSLER_ERR_')) return [];
    // Every export of that prefix is an error class of @fastify/error; its message keeps the placeholders.
    const Constructor = value as unknown as new () => Error;
    const error = new Constructor();
    if (!isOslerError(error)) throw new Error(`${name} is no error of the catalogue`);
    return [
      `| \`${error.code}\` | ${error.statusCode} | ${exitCodeOf(error)} | ${error.message.replaceAll('%s', '…').replaceAll('\n', ' ').replaceAll('|', '\\|')} |`,
    ];
  });
  return `# Errors\n\nGenerated from \`src/core/errors.ts\`. A \`…\` stands for a value.\n\nExit codes of the CLI: 0 done, 1 gate failed, 2 usage, 3 prerequisite missing, 70 internal, 130 interrupted.\n\n| code | HTTP | exit | message |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function configurationPage(): string {
  const schema = z.toJSONSchema(environmentSchema, { io: 'input' });
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const { description = '', default: fallback } = typeof property === 'object' ? property : {};
    return `| \`${name}\` | ${fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``} | ${description} |`;
  });
  return `# Environment variables\n\nGenerated from \`src/core/config.ts\`. They are read once, at the start.\n\n| name | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function cliPage(): string {
  return `# Command line\n\nGenerated from \`src/cli/\`. \`npm run eval -- …\` is \`npx osler eval …\`.\n\n${cliSections(program, []).join('\n')}`;
}

/** The command and, after it, those inside it; `outer` are the words before its own. */
function cliSections(command: Command, outer: readonly string[]): string[] {
  const words = [...outer, command.name()];
  command.configureHelp({ helpWidth: 100 });
  const section = `## ${words.join(' ')}\n\n\`\`\`text\n${command.helpInformation().trimEnd()}\n\`\`\`\n`;
  return [section, ...command.commands.flatMap((inner) => cliSections(inner, words))];
}
