import path from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { Config } from '../../../src/core/config.ts';
import { openStore } from '../../../src/core/store.ts';
import { ChatTemplate } from '../../../src/engine/chat-template.ts';
import type { Engine, GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine, type ScriptedEngineOptions } from '../../../src/engine/scripted/scripted-engine.ts';
import { readEvaluationProgress } from '../../../src/eval/evaluation-progress.ts';
import { KeyStore } from '../../../src/server/auth/key-store.ts';
import { buildApp, type ServerDeps } from '../../../src/server/app.ts';
import { Drain } from '../../../src/server/drain.ts';
import { startServedTraining } from '../../../src/server/start-training.ts';
import { checkTraining } from '../../../src/server/training-check.ts';
import { type ServedModel, ServedModels } from '../../../src/server/served-model.ts';
import { exportRun } from '../../../src/train/export/export-run.ts';
import type { Launcher } from '../../../src/train/launchers/launcher.ts';
import { openLauncher } from '../../../src/train/launchers/open-launcher.ts';
import { ModelStore } from '../../../src/train/model-store.ts';
import { Pushes } from '../../../src/train/publish/pushes.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { Trainings } from '../../../src/train/trainings.ts';
import { readProjectTemplate } from '../../support/project-template.ts';
import { testConfig } from '../../support/test-home.ts';

/** A thought and an answer in the project's own layout, as a model writes them after an open tag. */
export const plainReply = 'I weigh the signs.\n</think>\n\nIt is scurvy, from lack of vitamin C.';

export interface ServiceOptions {
  /** Models to serve; default: one named `tuned` that answers `plainReply`. */
  readonly models?: readonly ServedModel[];
  readonly apiKey?: string;
  readonly logLevel?: string;
  /** A home of the caller's, which stays; default: a new one that goes away with the test. */
  readonly home?: string;
  /** What differs from the settings of tests. */
  readonly config?: Partial<Config>;
  /** Opens launchers; default: those of the home. */
  readonly launcher?: (name: string) => Promise<Launcher>;
  /** Whatever else the app is built with. */
  readonly deps?: Partial<ServerDeps>;
}

/** The real app in this process, its log kept in memory, its store in a folder that goes away with the test. */
export interface Service {
  readonly app: FastifyInstance;
  readonly home: string;
  readonly config: Config;
  readonly trainings: Trainings;
  readonly keys: KeyStore;
  readonly drain: Drain;
  /** Everything that was logged so far. */
  log(): string;
  /** Opens a port on 127.0.0.1 and gives the origin. */
  listen(): Promise<string>;
}

/** Builds the service for the running test, or for all tests of a file with an `onEnd` of its own. */
export async function startService(
  options: ServiceOptions = {},
  onEnd: (end: () => Promise<void>) => void = onTestFinished,
): Promise<Service> {
  const home = options.home ?? (await mkdtemp(path.join(os.tmpdir(), 'osler-service-')));
  const config = { ...testConfig(home), ...options.config };
  const database = openStore(home);
  const runs = new RunStore(database, systemClock);
  const models = new ModelStore(database);
  const launcher = options.launcher ?? (async (name: string) => await openLauncher(name, config));
  const deps = { config, runs, models, launcher };
  const trainings = new Trainings({
    ...deps,
    clock: systemClock,
    exportRun: async (run, folder, options) => await exportRun(run, folder, { config }, options),
    times: { pollMs: 50, queueMs: 50, syncMs: 100 },
  });
  const pushes = new Pushes({ config, clock: systemClock, runs, models, findEvaluation: async () => undefined });
  const keys = new KeyStore(database, systemClock);
  const drain = options.deps?.drain ?? new Drain();
  const lines: string[] = [];
  const app = await buildApp({
    models: new ServedModels(options.models ?? [scriptedModel()]),
    trainings,
    checkTraining: async (recipe, how) => await checkTraining(recipe, deps, how),
    startTraining: async (recipe, how) => await startServedTraining(recipe, { ...deps, trainings }, how),
    pushes,
    evaluations: async () => await readEvaluationProgress(home),
    clock: systemClock,
    keys,
    apiKey: options.apiKey ?? null,
    isLoopback: true,
    allowedOrigins: [],
    trustedProxies: [],
    rateLimitPerMinute: null,
    queueTimeoutMs: 60_000,
    logLevel: options.logLevel ?? 'trace',
    logStream: { write: (line) => lines.push(line) },
    ...options.deps,
    drain,
  });
  onEnd(async () => {
    await app.close();
    database.close();
    if (options.home === undefined) await rm(home, { recursive: true, force: true });
  });
  return {
    app,
    home,
    config,
    trainings,
    keys,
    drain,
    log: () => lines.join(''),
    listen: async () => await app.listen({ host: '127.0.0.1', port: 0 }),
  };
}

/** A served model with the project's template, around any engine. */
export function servedModel(engine: Engine, changes: Partial<ServedModel> & { source?: string } = {}): ServedModel {
  const { source = readProjectTemplate(), ...rest } = changes;
  return {
    name: 'tuned',
    ref: 'scripted',
    engine,
    template: new ChatTemplate({ owner: 'tuned', source, bosToken: '<s>', eosToken: '</s>' }),
    weightsDigest: 'a'.repeat(64),
    createdSeconds: 1_700_000_000,
    ...rest,
  };
}

/** A served model that plays a script; what it is asked is pushed to `seen`. */
export function scriptedModel(
  script: Omit<ScriptedEngineOptions, 'reply'> & { reply?: string; seen?: GenerateRequest[]; name?: string } = {},
): ServedModel {
  const { reply = plainReply, seen, name = 'tuned', ...options } = script;
  const engine = new ScriptedEngine({
    ...options,
    reply: (request) => {
      seen?.push(request);
      return reply;
    },
  });
  return servedModel(engine, { name });
}

/** A chat body with one question. */
export function chatBody(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: 'tuned', messages: [{ role: 'user', content: 'Which deficiency causes scurvy?' }], ...changes };
}

/** Posts a chat request into the app without a port. */
export async function postChat(service: Service, changes: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  return await service.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: chatBody(changes), headers });
}

/** Connections that are open at the service's port. */
export async function connectionsOf(service: Service): Promise<number> {
  return await new Promise((resolve, reject) => {
    service.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
