import path from 'node:path';
import { sha256, sha256OfFile } from '../core/digest.ts';
import { OSLER_ERR_MODEL_TEMPLATE, OSLER_ERR_MODEL_UNSUITABLE, OSLER_ERR_USAGE } from '../core/errors.ts';
import { readTextFile } from '../core/jsonl.ts';
import { ChatTemplate } from '../engine/chat-template.ts';
import { readGguf } from '../engine/gguf-file.ts';
import { backendDeps, chooseBackend } from '../engine/llama/backends.ts';
import { LlamaEngine } from '../engine/llama/llama-engine.ts';
import type { Adapter } from '../engine/llama/protocol.ts';
import { isMessagesTemplate } from '../engine/openai/messages-template.ts';
import { isUpstreamRef } from '../engine/openai/upstream-ref.ts';
import { defaultThoughtTags } from '../engine/thought-splitter.ts';
import type { ServedModel } from '../server/served-model.ts';
import { checkCertifiedFile } from '../train/certificate/certified-file.ts';
import { ensureGguf, resolveModel } from '../train/resolve-model.ts';
import type { CliContext } from './context.ts';
import { openUpstream } from './open-upstream.ts';
import type { Reporter } from './progress.ts';

const batchTokens = 512;
/** LLAMA_MAX_SEQ: beyond it the context cannot be made. */
const maxSlots = 256;

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

/** A model that is another one's weights with a LoRA adapter over them. */
export interface AdapterArm {
  readonly name: string;
  readonly adapter: Adapter;
}

/** Finds a model by its REF, checks its file, and starts its engine. Throws the errors of resolving, GGUF and template. */
export async function openModel(
  context: CliContext,
  options: OpenModelOptions,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<OpenedModel> {
  const [opened] = await openArms(context, options, [], reporter, signal);
  if (opened === undefined) throw new Error('a model opens as one arm or more');
  return opened;
}

/**
 * Opens a model and adapters over it in one engine, with one copy of the weights: the model first, then the adapters in their order.
 *
 * @throws OSLER_ERR_MODEL_UNSUITABLE where a file is no adapter for this architecture, OSLER_ERR_CERTIFICATE_BROKEN where a file has
 * changed since it was certified, and as `openModel`
 */
export async function openArms(
  context: CliContext,
  options: OpenModelOptions,
  adapters: readonly AdapterArm[],
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<OpenedModel[]> {
  if (isUpstreamRef(options.ref)) {
    if (adapters.length > 0) throw new OSLER_ERR_MODEL_UNSUITABLE(options.ref, 'an adapter needs weights on this machine');
    return [await openUpstream(context, options, reporter, signal)];
  }
  if (options.slots > maxSlots)
    throw new OSLER_ERR_USAGE(`llama.cpp runs at most ${maxSlots} requests at once: lower --slots from "${options.slots}".`);
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
  for (const { adapter } of adapters) await checkAdapter(adapter.file, summary.architecture);
  const source = await templateSourceOf(options, summary.chatTemplate);
  if (source === null) throw new OSLER_ERR_MODEL_TEMPLATE(options.ref, 'its file carries none');
  const template = new ChatTemplate({ owner: options.name, source, bosToken: summary.bosToken, eosToken: summary.eosToken });
  const digest = await sha256OfFile(file);
  await checkCertifiedFile(file, digest);
  const digests = [digest];
  for (const { adapter } of adapters) digests.push(sha256(`${digest}+${await sha256OfFile(adapter.file)}×${adapter.scale}`));
  const { choice } = await chooseBackend(await backendDeps(config, { onStep: (step) => reporter.step(step), signal }));
  const arms = [{ name: options.name, adapter: null }, ...adapters];
  const engines = LlamaEngine.openArms(
    {
      file,
      backend: choice,
      threads: config.threads,
      slots: options.slots,
      contextTokens: Math.min(options.contextTokens, summary.trainContextTokens ?? options.contextTokens),
      batchTokens,
      tags: defaultThoughtTags,
      maxWaiting: options.maxWaiting,
    },
    arms,
  );
  return engines.map((engine, index) => ({
    fileType: summary.fileType,
    model: {
      name: arms[index]?.name ?? options.name,
      ref: index === 0 ? options.ref : `${options.ref} with ${path.basename(arms[index]?.adapter?.file ?? '')}`,
      engine,
      template,
      weightsDigest: digests[index] ?? digest,
      capacity: options.slots + options.maxWaiting,
      createdSeconds: Math.floor(clock.now().getTime() / 1000),
    },
  }));
}

async function checkAdapter(file: string, architecture: string): Promise<void> {
  const summary = await readGguf(file);
  if (summary.type !== 'adapter')
    throw new OSLER_ERR_MODEL_UNSUITABLE(file, 'it is a GGUF model and no LoRA adapter; serve it with --model');
  if (summary.architecture !== architecture)
    throw new OSLER_ERR_MODEL_UNSUITABLE(file, `it is an adapter for "${summary.architecture}" and the model is "${architecture}"`);
}

async function templateSourceOf(options: OpenModelOptions, own: string | null): Promise<string | null> {
  // Of an upstream that keeps its template to itself there is nothing to share.
  if (options.templateSource !== undefined && !isMessagesTemplate(options.templateSource)) return options.templateSource;
  return options.templateFile === null ? own : await readTextFile(path.resolve(options.templateFile));
}
