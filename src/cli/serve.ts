import type { AddressInfo } from 'node:net';
import { Command, InvalidArgumentError } from 'commander';
import type { FastifyInstance } from 'fastify';
import { messageOf, OSLER_ERR_SERVER_BIND, OSLER_ERR_SERVER_PORT_IN_USE, OSLER_ERR_USAGE } from '../core/errors.ts';
import { buildApp } from '../server/app.ts';
import { ServedModels } from '../server/served-model.ts';
import { type CliContext, openContext } from './context.ts';
import { type OpenedModel, openModel } from './open-model.ts';
import { createReporter, type Reporter } from './progress.ts';

const drainMs = 30_000;
/** Of an address that this machine does not have, a name that none has, and a port that is not this user's. */
const unusableAddressCodes = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES']);

interface ServeFlags {
  readonly model: string[];
  readonly template: string[];
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  readonly context: number;
  readonly maxWaiting: number;
}

/** `osler serve`: models under names, over HTTP. */
export function serveCommand(): Command {
  const collect = (word: string, words: string[]): string[] => [...words, word];
  return new Command('serve')
    .description('serve models with an OpenAI-style API: thought and answer apart, as JSON or streamed')
    .option('--model <name=ref>', 'a model to serve: path, registry id or Hub id; repeat for more', collect, [])
    .option('--template <name=file>', 'Jinja chat template in place of that model’s own', collect, [])
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on', portNumber, 8080)
    .option('--slots <number>', 'requests at once, of each model', positiveNumber, 8)
    .option('--context <tokens>', 'tokens that one request may use, prompt and answer together', positiveNumber, 4096)
    .option('--max-waiting <number>', 'requests that may wait for a slot before the next is refused with 503', wholeNumber, 64)
    .addHelpText(
      'after',
      '\nExamples:\n  osler serve --model base=smollm2-135m-instruct --model tuned=run-20261123t2305-1a2b3c4d --port 8080\n  osler serve --model tuned=./model.gguf --template tuned=./template.jinja',
    )
    .action(async (flags: ServeFlags) => {
      const context = openContext();
      const reporter = createReporter(context.config);
      const models = parsePairs(flags.model, '--model');
      const templates = parsePairs(flags.template, '--template');
      if (models.size === 0) throw new OSLER_ERR_USAGE('There is no model to serve. Name at least one: --model tuned=REF');
      for (const name of templates.keys())
        if (!models.has(name)) throw new OSLER_ERR_USAGE(`--template names "${name}", and there is no --model of that name.`);
      checkBind(context, flags.host);
      const opened: OpenedModel[] = [];
      try {
        for (const [name, ref] of models) {
          opened.push(
            await openModel(
              context,
              {
                name,
                ref,
                templateFile: templates.get(name) ?? null,
                slots: flags.slots,
                contextTokens: flags.context,
                maxWaiting: flags.maxWaiting,
              },
              reporter,
            ),
          );
        }
        await serveUntilStopped(context, opened, flags, reporter);
      } finally {
        await Promise.all(opened.map(({ model }) => model.engine.close()));
      }
    });
}

/** Serves opened models until SIGINT or SIGTERM, then drains. The caller closes the engines. */
export async function serveUntilStopped(
  context: CliContext,
  opened: readonly OpenedModel[],
  at: { host: string; port: number },
  reporter: Reporter,
): Promise<void> {
  const app = await buildApp({
    models: new ServedModels(opened.map(({ model }) => model)),
    trainings: context.trainings,
    clock: context.clock,
    apiKey: context.config.apiKey,
    logLevel: context.config.logLevel,
    logStream: process.stderr,
  });
  await listen(app, at);
  await Promise.all(opened.map(({ model }) => model.engine.ready()));
  const recovered = await context.trainings.recover((id, error) => app.log.warn({ run: id, reason: messageOf(error) }, 'run ended early'));
  for (const id of recovered) reporter.info(`going on with run ${id}`);
  const { port } = app.server.address() as AddressInfo; // a TCP server that listens has one
  const origin = `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`;
  reporter.step(`serving at ${origin} until Ctrl-C; for research only, not a medical device`);
  for (const { model } of opened) process.stdout.write(`${curlLine(origin, model.name, context.config.apiKey !== null)}\n`);
  await stopped();
  reporter.step('finishing running requests (Ctrl-C again ends at once)');
  const force = setTimeout(() => process.exit(0), drainMs);
  await app.close();
  clearTimeout(force);
}

/** A line to paste into a shell. */
function curlLine(origin: string, model: string, needsKey: boolean): string {
  const body = JSON.stringify({
    model,
    max_tokens: 300,
    messages: [{ role: 'user', content: 'Which vitamin deficiency causes scurvy, and why do the gums bleed?' }],
  });
  return `curl ${origin}/v1/chat/completions -H 'content-type: application/json'${needsKey ? ' -H "authorization: Bearer $OSLER_API_KEY"' : ''} -d '${body}'`;
}

/** Opens the port. Throws OSLER_ERR_SERVER_PORT_IN_USE, and OSLER_ERR_USAGE for an address or port that cannot be had. */
export async function listen(app: FastifyInstance, at: { host: string; port: number }): Promise<void> {
  try {
    await app.listen(at);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error;
    if (error.code === 'EADDRINUSE') throw new OSLER_ERR_SERVER_PORT_IN_USE(at.port, at.host);
    if (!unusableAddressCodes.has(error.code)) throw error;
    throw new OSLER_ERR_USAGE(`Port ${at.port} on "${at.host}" cannot be opened (${error.code}). Choose others with --host and --port.`);
  }
}

function checkBind(context: CliContext, host: string): void {
  const isLoopback = host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
  if (!isLoopback && context.config.apiKey === null) throw new OSLER_ERR_SERVER_BIND(host);
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) process.exit(130);
      isStopping = true;
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

function parsePairs(words: readonly string[], option: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const word of words) {
    const [name = '', ...rest] = word.split('=');
    const value = rest.join('=');
    if (!/^[\w.-]{1,64}$/.test(name) || value === '')
      throw new OSLER_ERR_USAGE(
        `${option} "${word}" is not of the form name=value, where the name has letters, digits, ".", "_" and "-" only.`,
      );
    if (pairs.has(name)) throw new OSLER_ERR_USAGE(`${option} names "${name}" twice.`);
    pairs.set(name, value);
  }
  return pairs;
}

/** Reads a whole number of a flag, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is wanted.');
  return value;
}

/** Reads a whole number of a flag, 1 or more. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('1 or more is wanted.');
  return value;
}

/** Reads a port of a flag; 0 lets the system choose. */
export function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError('a port is at most 65535.');
  return value;
}
