import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { OSLER_ERR_CONFIG_INVALID } from './errors.ts';

/** A comma-separated list, each entry checked by the schema. */
function listOf(entry: z.ZodType<string, string>) {
  const split = (text: string): string[] => text.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));
  return z.string().transform(split).pipe(z.array(entry));
}

const Origin = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, 'an origin is of the form https://host or http://host:port');
const Network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'an address or a network such as 10.0.0.0/8 is wanted');

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
    .describe('key with all scopes that clients may send; it or one of "osler keys" is required to bind wider than 127.0.0.1'),
  OSLER_RATE_LIMIT_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('requests a minute of one key, or of one address without; 0: no limit; default: 6000 where keys are asked for, else none'),
  OSLER_CORS_ORIGINS: listOf(Origin).optional().describe('origins whose pages may call this server, separated by commas; default: none'),
  OSLER_TRUSTED_PROXIES: listOf(Network)
    .optional()
    .describe('addresses of reverse proxies whose X-Forwarded-For is believed, separated by commas; default: none'),
  OSLER_THREADS: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('CPU threads of engine and trainer; default: the cores this process may use'),
  OSLER_PYTHON: z.string().min(1).optional().describe('Python 3.11+ that makes .venv; default: the first suitable python3 on PATH'),
  OSLER_VENV: z
    .string()
    .min(1)
    .optional()
    .describe('folder of the Python environment; default: .venv beside the package, which must then be writable'),
  OSLER_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe('the server deletes runs and the texts of evaluations after so many days; default: they are kept'),
  OSLER_BENCHMARK_DATA: z
    .string()
    .min(1)
    .optional()
    .describe('folder with rows of benchmarks, looked in before the Hub (docs/tasks.md); default: none'),
  OSLER_GPU: z.enum(['auto', 'cuda', 'vulkan', 'metal', 'off']).default('auto').describe('what the engine computes on'),
  OSLER_UPSTREAM_KEYS: listOf(z.string().regex(/^[\w.[\]:-]+=[\x21-\x7e]+$/, 'keys are of the form host=key'))
    .optional()
    .describe('keys of upstream servers as host=key or host:port=key, separated by commas; each goes to its own host only'),
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
  /** 0: no limit; null: the default. */
  readonly rateLimitPerMinute: number | null;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly threads: number;
  readonly python: string | null;
  /** null: beside the package. */
  readonly venv: string | null;
  /** null: for ever. */
  readonly retentionDays: number | null;
  /** null: benchmarks of the Hub are fetched from there. */
  readonly benchmarkData: string | null;
  readonly gpu: z.infer<typeof Environment>['OSLER_GPU'];
  /** By host, with its port where the address has one. */
  readonly upstreamKeys: Readonly<Record<string, string>>;
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
    rateLimitPerMinute: value.OSLER_RATE_LIMIT_PER_MINUTE ?? null,
    corsOrigins: value.OSLER_CORS_ORIGINS ?? [],
    trustedProxies: value.OSLER_TRUSTED_PROXIES ?? [],
    threads: Math.min(value.OSLER_THREADS ?? availableCores(), 256),
    python: value.OSLER_PYTHON ?? null,
    venv: value.OSLER_VENV === undefined ? null : path.resolve(value.OSLER_VENV),
    retentionDays: value.OSLER_RETENTION_DAYS ?? null,
    benchmarkData: value.OSLER_BENCHMARK_DATA === undefined ? null : path.resolve(value.OSLER_BENCHMARK_DATA),
    gpu: value.OSLER_GPU,
    upstreamKeys: Object.fromEntries((value.OSLER_UPSTREAM_KEYS ?? []).map(splitAtEquals)),
    hubEndpoint: value.HF_ENDPOINT.replace(/\/+$/, ''),
    hubToken: value.HF_TOKEN ?? value.HUGGINGFACE_TOKEN ?? null,
    isCi: value.CI !== undefined && value.CI !== 'false',
  });
}

/** Keys may end in "=" themselves, so the first one counts. */
function splitAtEquals(pair: string): [string, string] {
  const place = pair.indexOf('=');
  return [pair.slice(0, place).toLowerCase(), pair.slice(place + 1)];
}

/** The environment for a program that we start: ours, with additions. */
export function childEnvironment(additions: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...additions };
}

/** Cores this process may use; node counts the affinity mask and, from 24 on, the cgroup quota (libuv 1.49). */
function availableCores(): number {
  return os.availableParallelism();
}
