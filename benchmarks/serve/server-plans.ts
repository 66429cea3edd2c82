import path from 'node:path';
import { packageRoot } from '../../src/core/package-root.ts';
import type { ServerPlan } from './server-process.ts';
import { benchModel } from './workload.ts';

/** Tokens that one pass over the weights may take: what `osler serve` uses, given to llama-server as well. */
export const batchTokens = 512;
/** What node-llama-cpp asks of llama.cpp where nobody says otherwise, given to llama-server as well. */
const flashAttention = 'auto';

/** What both servers are started with. */
export interface ServerSettings {
  readonly modelFile: string;
  readonly slots: number;
  /** Tokens of one slot. */
  readonly contextTokens: number;
  readonly threads: number;
  readonly home: string;
  /** Folder of the servers' logs. */
  readonly logFolder: string;
}

/** Our server, started as its user starts it. */
export function planOurs(settings: ServerSettings, port: number): ServerPlan {
  const words = (file: string): string[] => [
    'serve',
    ...inPairs({
      '--model': `${benchModel}=${file}`,
      '--slots': settings.slots,
      '--context': settings.contextTokens,
      '--port': port,
    }),
  ];
  return {
    name: 'ours',
    command: process.execPath,
    words: [path.join(packageRoot, 'bin/osler.js'), ...words(settings.modelFile)],
    environment: { OSLER_THREADS: String(settings.threads), OSLER_HOME: settings.home, OSLER_API_KEY: '' },
    port,
    readyPath: '/readyz',
    logFile: path.join(settings.logFolder, 'ours.log'),
    shownCommand: ['OSLER_THREADS=' + settings.threads, 'osler', ...words(path.basename(settings.modelFile))].join(' '),
  };
}

/** llama-server with the same figures, and its own defaults for everything else. */
export function planLlamaServer(binary: string, settings: ServerSettings, port: number): ServerPlan {
  const words = (file: string): string[] => [
    ...inPairs({
      '-m': file,
      '-np': settings.slots,
      // Ours counts the context by slot, this one over all slots.
      '-c': settings.contextTokens * settings.slots,
      '-t': settings.threads,
      '-tb': settings.threads,
      '-b': batchTokens,
      '-ub': batchTokens,
      '-fa': flashAttention,
      '--host': '127.0.0.1',
      '--port': port,
    }),
    '--no-webui',
    '--metrics',
  ];
  return {
    name: 'llama-server',
    command: binary,
    words: words(settings.modelFile),
    environment: {},
    port,
    readyPath: '/health',
    logFile: path.join(settings.logFolder, 'llama-server.log'),
    shownCommand: ['llama-server', ...words(path.basename(settings.modelFile))].join(' '),
  };
}

/** Options and their values as words of a command line. */
function inPairs(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([option, value]) => [option, String(value)]);
}
