import path from 'node:path';
import { sha256OfFile } from '../core/digest.ts';
import { OSLER_ERR_MODEL_TEMPLATE } from '../core/errors.ts';
import { readTextFile } from '../core/jsonl.ts';
import { ChatTemplate } from '../engine/chat-template.ts';
import { readGguf } from '../engine/gguf-file.ts';
import { LlamaEngine } from '../engine/llama/llama-engine.ts';
import { defaultThoughtTags } from '../engine/thought-splitter.ts';
import type { ServedModel } from '../server/served-model.ts';
import { ensureGguf, resolveModel } from '../train/resolve-model.ts';
import type { CliContext } from './context.ts';
import type { Reporter } from './progress.ts';

const batchTokens = 512;

export interface OpenModelOptions {
  readonly name: string;
  readonly ref: string;
  /** Jinja file in place of the model's own template. */
  readonly templateFile: string | null;
  /** Text of a template, in place of either. */
  readonly templateSource?: string;
  readonly slots: number;
  readonly contextTokens: number;
  readonly maxWaiting: number;
}

/** A model with its engine starting: `model.engine.ready()` says when. */
export interface OpenedModel {
  readonly model: ServedModel;
  /** llama.cpp's number for the file's quantisation; null: the file does not say. */
  readonly fileType: number | null;
}

/** Finds a model by its REF, checks its file, and starts its engine. Throws the errors of resolving, GGUF and template. */
export async function openModel(
  context: CliContext,
  options: OpenModelOptions,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<OpenedModel> {
  const { config, clock, models } = context;
  const bar = reporter.progress(`fetch ${options.ref}`);
  const deps = {
    config,
    models,
    onStep: (step: string) => reporter.step(step),
    onBytes: (done: number, total: number) => bar.update(Math.round(done / 1e6), Math.round(total / 1e6), 'MB'),
    signal,
  };
  const resolved = await resolveModel(options.ref, null, deps).finally(() => bar.stop());
  const file = await ensureGguf(resolved, 'q8_0', deps);
  const summary = await readGguf(file);
  const source = await templateSourceOf(options, summary.chatTemplate);
  if (source === null) throw new OSLER_ERR_MODEL_TEMPLATE(options.ref, 'its file carries none');
  const template = new ChatTemplate({ owner: options.name, source, bosToken: summary.bosToken, eosToken: summary.eosToken });
  const weightsDigest = await sha256OfFile(file);
  const engine = new LlamaEngine({
    name: options.name,
    file,
    gpu: config.gpu,
    threads: config.threads,
    slots: options.slots,
    contextTokens: Math.min(options.contextTokens, summary.trainContextTokens ?? options.contextTokens),
    batchTokens,
    tags: defaultThoughtTags,
    maxWaiting: options.maxWaiting,
  });
  return {
    fileType: summary.fileType,
    model: {
      name: options.name,
      ref: options.ref,
      engine,
      template,
      weightsDigest,
      createdSeconds: Math.floor(clock.now().getTime() / 1000),
    },
  };
}

async function templateSourceOf(options: OpenModelOptions, own: string | null): Promise<string | null> {
  if (options.templateSource !== undefined) return options.templateSource;
  return options.templateFile === null ? own : await readTextFile(path.resolve(options.templateFile));
}
