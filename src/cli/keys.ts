import { Command, InvalidArgumentError, Option } from 'commander';
import { type ApiKey, isUsable, Scope } from '../server/auth/api-key.ts';
import { openContext } from './context.ts';

const hoursOf = { h: 1, d: 24, w: 7 * 24 } as const;
const maxHours = 10 * 365 * 24;

interface CreateFlags {
  readonly name: string;
  readonly scope: Scope[];
  readonly expires?: number;
  readonly json?: boolean;
}

/** `osler keys create|list|revoke`: who may use a server. */
export function keysCommand(): Command {
  const command = new Command('keys').description('API keys of this home: make, list and revoke them; a running server heeds them at once');
  command
    .command('create')
    .description('make a key and print it, this once')
    .requiredOption('--name <name>', 'whose or what for, 1 to 64 characters', keyName)
    .addOption(
      new Option('--scope <scope>', `what it may do, of ${Scope.options.join(', ')}; repeat for more; admin implies all`)
        .argParser(collectScope)
        .makeOptionMandatory(),
    )
    .option('--expires <time>', 'when it ends by itself: hours, days or weeks from now, such as 12h, 90d or 52w', lifetimeHours)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  osler keys create --name ward-3 --scope chat --expires 90d\n  osler keys create --name ci --scope chat --scope evaluate --json',
    )
    .action((flags: CreateFlags) => createKey(flags));
  command
    .command('list')
    .description('all keys, newest first; never their secrets')
    .option('--json', 'print JSON')
    .action((flags: { json?: boolean }) => listKeys(flags.json === true));
  command
    .command('revoke <id>')
    .description('end a key for good')
    .option('--json', 'print JSON')
    .action((id: string, flags: { json?: boolean }) => {
      const key = openContext().keys.revoke(id);
      process.stdout.write(flags.json === true ? `${JSON.stringify(key)}\n` : `${key.id} (${key.name}) is revoked.\n`);
    });
  return command;
}

function createKey(flags: CreateFlags): void {
  const { keys, clock } = openContext();
  const expiresAt = flags.expires === undefined ? null : new Date(clock.now().getTime() + flags.expires * 3_600_000);
  const { key, secret } = keys.create({ name: flags.name, scopes: flags.scope, expiresAt });
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ ...key, secret })}\n`);
    return;
  }
  process.stderr.write(
    `${key.id} for ${key.scopes.join(', ')}${key.expiresAt === null ? '' : `, until ${key.expiresAt}`}. Keep it now: only its digest is stored.\n`,
  );
  process.stdout.write(`${secret}\n`);
}

function listKeys(isJson: boolean): void {
  const { keys, clock } = openContext();
  const all = keys.list();
  if (isJson) process.stdout.write(`${JSON.stringify(all)}\n`);
  else if (all.length === 0) process.stdout.write('No keys yet. Make one: osler keys create --name NAME --scope chat\n');
  else for (const key of all) process.stdout.write(`${lineOf(key, clock.now())}\n`);
}

function lineOf(key: ApiKey, now: Date): string {
  const state = key.revokedAt !== null ? 'revoked' : isUsable(key, now) ? 'usable' : 'expired';
  const expires = key.expiresAt === null ? 'never ends' : `ends ${key.expiresAt.slice(0, 10)}`;
  return `${key.id}  ${state.padEnd(7)}  ${key.scopes.join(',').padEnd(19)}  made ${key.createdAt.slice(0, 10)}  ${expires}  used ${key.lastUsedOn ?? 'never'}  ${key.name}`;
}

/** Printed in lists, so it must not be able to move the cursor. */
function keyName(text: string): string {
  if (!/^[^\p{C}]{1,64}$/u.test(text) || text.trim() === '')
    throw new InvalidArgumentError('1 to 64 characters that can be printed are wanted.');
  return text.trim();
}

function collectScope(word: string, words: Scope[] = []): Scope[] {
  const scope = Scope.safeParse(word);
  if (!scope.success) throw new InvalidArgumentError(`choose of ${Scope.options.join(', ')}.`);
  return [...words, scope.data];
}

function lifetimeHours(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  // The expression lets nothing else through.
  const hours = Number(count) * (hoursOf[unit as keyof typeof hoursOf] ?? 0);
  if (!(hours >= 1 && hours <= maxHours)) throw new InvalidArgumentError('a time such as 12h, 90d or 52w, up to ten years, is wanted.');
  return hours;
}
