import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { FastifyInstance } from 'fastify';
import { messageOf, OSLER_ERR_INTERRUPTED, OSLER_ERR_SERVER_BIND, OSLER_ERR_SERVER_PORT_IN_USE, OSLER_ERR_USAGE } from '../core/errors.ts';
import { readEvaluationProgress } from '../eval/evaluation-progress.ts';
import { buildApp } from '../server/app.ts';
import { Drain } from '../server/drain.ts';
import { startServedTraining } from '../server/start-training.ts';
import { checkTraining } from '../server/training-check.ts';
import { ServedModels } from '../server/served-model.ts';
import { type CliContext, openContext } from './context.ts';
import { portNumber, positiveNumber, secondsNumber, wholeNumber } from './flag-values.ts';
import { startRetention } from './retention.ts';
import { readModelFlags } from './model-flags.ts';
import { openArms, type OpenedModel } from './open-model.ts';
import { createReporter, type Reporter } from './progress.ts';

/** For what is not an answer to come to its end, once all answers have. */
const closeGraceMs = 5000;
const serveDefaults = { drainSeconds: 30, queueTimeout: 120 };
/** Of an address that this machine does not have, a name that none has, and a port that is not this user's. */
const unusableAddressCodes = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES']);

interface ServeFlags {
  readonly model: string[];
  readonly template: string[];
  readonly adapter: string[];
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  readonly context: number;
  readonly maxWaiting: number;
  readonly queueTimeout: number;
  readonly drainSeconds: number;
  readonly rateLimit?: number;
}

/** Where and how to serve. */
export interface ServeSettings {
  readonly host: string;
  readonly port: number;
  /** Seconds that a request may wait for a slot. */
  readonly queueTimeout?: number;
  /** Seconds that running answers get when the server is stopped. */
  readonly drainSeconds?: number;
  /** Requests a minute of one key or address; left out: as the environment says. */
  readonly rateLimit?: number;
}

/** `osler serve`: models under names, over HTTP. */
export function serveCommand(): Command {
  const collect = (word: string, words: string[]): string[] => [...words, word];
  return new Command('serve')
    .description('serve models with an OpenAI-style API: thought and answer apart, as JSON or streamed')
    .option(
      '--model <name=ref>',
      'a model to serve: path, registry id, Hub id, or an upstream as openai:URL#MODEL (docs/upstreams.md); repeat for more',
      collect,
      [],
    )
    .option('--template <name=file>', 'Jinja chat template in place of that model’s own', collect, [])
    .option(
      '--adapter <name=base:file>',
      'a LoRA adapter (GGUF) as a model of its own over the weights of --model BASE; end with @0.5 for half its strength',
      collect,
      [],
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on', portNumber, 8080)
    .option('--slots <number>', 'requests at once, of each model', positiveNumber, 8)
    .option('--context <tokens>', 'tokens that one request may use, prompt and answer together', positiveNumber, 4096)
    .option('--max-waiting <number>', 'requests that may wait for a slot before the next is refused with 503', wholeNumber, 64)
    .option('--queue-timeout <seconds>', 'how long a request may wait for a slot', secondsNumber, serveDefaults.queueTimeout)
    .option(
      '--drain-seconds <seconds>',
      'how long running answers may take when the server is stopped',
      secondsNumber,
      serveDefaults.drainSeconds,
    )
    .option('--rate-limit <number>', 'requests a minute of one key, or address without; default: OSLER_RATE_LIMIT_PER_MINUTE', wholeNumber)
    .addHelpText(
      'after',
      '\nExamples:\n  osler serve --model base=smollm2-135m-instruct --model tuned=run-20261123t2305-1a2b3c4d --port 8080\n  osler serve --model tuned=./model.gguf --template tuned=./template.jinja\n  osler serve --model base=smollm2-135m-instruct --adapter tuned=base:./adapter.gguf\n  osler serve --model big=openai:http://10.0.0.5:8000/v1',
    )
    .action(async (flags: ServeFlags) => {
      const context = openContext();
      const reporter = createReporter(context.config);
      const plans = readModelFlags(flags);
      if (!isLoopback(flags.host) && context.config.apiKey === null && !context.keys.hasUsable())
        throw new OSLER_ERR_SERVER_BIND(flags.host);
      const opened: OpenedModel[] = [];
      try {
        const settings = { slots: flags.slots, contextTokens: flags.context, maxWaiting: flags.maxWaiting };
        for (const { adapters, ...plan } of plans) opened.push(...(await openArms(context, { ...plan, ...settings }, adapters, reporter)));
        await serveUntilStopped(context, opened, flags, reporter);
      } finally {
        await Promise.all(opened.map(({ model }) => model.engine.close()));
      }
    });
}

/**
 * Serves opened models until SIGINT or SIGTERM, then drains. The caller closes the engines.
 *
 * @throws OSLER_ERR_INTERRUPTED where answers had to be cut off
 */
export async function serveUntilStopped(
  context: CliContext,
  opened: readonly OpenedModel[],
  at: ServeSettings,
  reporter: Reporter,
): Promise<void> {
  const { config } = context;
  const drain = new Drain();
  const app = await buildApp({
    models: new ServedModels(opened.map(({ model }) => model)),
    trainings: context.trainings,
    checkTraining: async (recipe, options) => await checkTraining(recipe, context, options),
    startTraining: async (recipe, options) => await startServedTraining(recipe, context, options),
    pushes: context.pushes,
    evaluations: async () => await readEvaluationProgress(config.home),
    clock: context.clock,
    keys: context.keys,
    apiKey: config.apiKey,
    isLoopback: isLoopback(at.host),
    allowedOrigins: config.corsOrigins,
    trustedProxies: config.trustedProxies,
    rateLimitPerMinute: at.rateLimit ?? config.rateLimitPerMinute,
    queueTimeoutMs: 1000 * (at.queueTimeout ?? serveDefaults.queueTimeout),
    drain,
    logLevel: config.logLevel,
    logStream: process.stderr,
  });
  await listen(app, at);
  await Promise.all(opened.map(({ model }) => model.engine.ready()));
  const recovered = await context.trainings.recover((id, error) => app.log.warn({ run: id, reason: messageOf(error) }, 'run ended early'));
  for (const id of recovered) reporter.info(`going on with run ${id}`);
  startRetention(context, app.log);
  const { port } = app.server.address() as AddressInfo; // a TCP server that listens has one
  const origin = `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`;
  reporter.step(`serving at ${origin} until Ctrl-C; for research only, not a medical device`);
  for (const { model } of opened)
    process.stdout.write(`${curlLine(origin, model.name, config.apiKey !== null || context.keys.hasAny())}\n`);
  await stopped();
  drain.begin();
  reporter.step(`taking nothing new, finishing ${drain.running} answer(s); Ctrl-C again ends at once`);
  const isFinished = await drain.idle(1000 * (at.drainSeconds ?? serveDefaults.drainSeconds));
  const cut = drain.running;
  const isClosed = await Promise.race([app.close().then(() => true), sleep(isFinished ? closeGraceMs : 0, false)]);
  if (!isClosed) app.server.closeAllConnections();
  if (!isFinished)
    throw new OSLER_ERR_INTERRUPTED(`The server stopped, and ${cut} answer(s) were cut off. Give them longer with --drain-seconds.`);
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

/** Whether only this machine can reach an address. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
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
