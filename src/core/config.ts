import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { OSLER_ERR_CONFIG_INVALID } from './errors.ts';

const Environment = z.object({
  OSLER_HOME: z.string().min(1).optional().describe('folder of the store, runs, models and caches; default ~/.osler'),
  OSLER_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least level that the server logs'),
  OSLER_API_KEY: z
    .string()
    .min(16, 'needs 16 characters or more')
    .optional()
    .describe('key that clients must send; required to bind wider than 127.0.0.1'),
  OSLER_THREADS: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('CPU threads of engine and trainer; default: the cores this process may use'),
  OSLER_PYTHON: z.string().min(1).optional().describe('Python 3.11+ that makes .venv; default: the first suitable python3 on PATH'),
  OSLER_GPU: z.enum(['auto', 'cuda', 'vulkan', 'metal', 'off']).default('auto').describe('what the engine computes on'),
  HF_ENDPOINT: z.url().default('https://huggingface.co').describe('address of the Hub'),
  HF_TOKEN: z.string().min(1).optional().describe('Hub token, for private or gated repositories'),
  HUGGINGFACE_TOKEN: z.string().min(1).optional().describe('alias of HF_TOKEN'),
  CI: z.string().optional().describe('set: progress as plain lines'),
});

/** Settings from the environment, read once. The only place that reads `process.env`. */
export interface Config {
  readonly home: string;
  readonly logLevel: z.infer<typeof Environment>['OSLER_LOG_LEVEL'];
  readonly apiKey: string | null;
  readonly threads: number;
  readonly python: string | null;
  readonly gpu: z.infer<typeof Environment>['OSLER_GPU'];
  readonly hubEndpoint: string;
  readonly hubToken: string | null;
  readonly isCi: boolean;
}

/** Names, defaults and meanings of the environment variables, for the generated reference. */
export const environmentSchema = Environment;

/**
 * Reads and checks the environment.
 *
 * @throws OSLER_ERR_CONFIG_INVALID with every problem, not only the first
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(present);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new OSLER_ERR_CONFIG_INVALID(lines.length, lines.join('\n'));
  }
  const value = parsed.data;
  return Object.freeze({
    home: path.resolve(value.OSLER_HOME ?? path.join(os.homedir(), '.osler')),
    logLevel: value.OSLER_LOG_LEVEL,
    apiKey: value.OSLER_API_KEY ?? null,
    threads: Math.min(value.OSLER_THREADS ?? availableCores(), 256),
    python: value.OSLER_PYTHON ?? null,
    gpu: value.OSLER_GPU,
    hubEndpoint: value.HF_ENDPOINT.replace(/\/+$/, ''),
    hubToken: value.HF_TOKEN ?? value.HUGGINGFACE_TOKEN ?? null,
    isCi: value.CI !== undefined && value.CI !== 'false',
  });
}

/** The environment for a program that we start: ours, with additions. */
export function childEnvironment(additions: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...additions };
}

/** Cores this process may use; node counts the affinity mask and, from 24 on, the cgroup quota (libuv 1.49). */
function availableCores(): number {
  return os.availableParallelism();
}
