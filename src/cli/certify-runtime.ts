import type { Clock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import type { Certificate } from '../core/schema/certificate.ts';
import type { Run } from '../core/schema/run.ts';
import { defaultSampling } from '../engine/engine.ts';
import { ChatTemplate } from '../engine/chat-template.ts';
import { readGguf } from '../engine/gguf-file.ts';
import type { BackendChoice } from '../engine/llama/backend-choice.ts';
import { backendDeps, chooseBackend } from '../engine/llama/backends.ts';
import { LlamaEngine } from '../engine/llama/llama-engine.ts';
import { defaultThoughtTags } from '../engine/thought-splitter.ts';
import { ensureBaseGguf } from '../train/certificate/base-gguf.ts';
import { certifyRun } from '../train/certificate/certify-run.ts';
import type { ExportedModel, OpenExported } from '../train/certificate/exported-model.ts';
import { quantiseAnew } from '../train/certificate/quantise-anew.ts';
import type { RunExport } from '../train/export/run-export.ts';
import type { ModelStore } from '../train/model-store.ts';
import { ensurePython, type ReportStep } from '../train/python-environment.ts';
import { requireTransformers, resolveModel } from '../train/resolve-model.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { readSource } from '../train/run-source.ts';

const batchTokens = 512;
const slots = 8;
const seed = 3407;

/** What certifying takes of the context, which it may help to make. */
export interface CertifyContext {
  readonly config: Config;
  readonly clock: Clock;
  readonly models: ModelStore;
}

/**
 * Certifies a run's export with the engine that would serve it here. The caller holds the lock of the run's folder.
 *
 * @throws what resolving the base, choosing an engine and measuring throw
 */
export async function certifyExport(
  { config, clock, models }: CertifyContext,
  run: Run,
  folder: RunFolder,
  exported: RunExport,
  { onStep, signal }: { readonly onStep?: ReportStep | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Certificate> {
  const deps = { config, models, onStep, signal };
  const source = await readSource(folder);
  const base = await resolveModel(run.recipe.base.ref, source?.base.revision ?? run.recipe.base.revision, deps);
  const baseDir = requireTransformers(base);
  const { choice } = await chooseBackend(await backendDeps(config, { onStep, signal }));
  const python = await ensurePython({ python: config.python, venv: config.venv, onStep, signal });
  const types = exported.ggufs.map(({ type }) => type);
  return await certifyRun(
    { run, folder, baseDir, exported },
    {
      clock,
      python,
      open: openExportedWith(choice, config.threads),
      baseGguf: async (type) => await ensureBaseGguf(baseDir, type, deps, types),
      quantiseAnew: async (types) => await quantiseAnew(folder, types, { config, python, onStep, signal }),
      onStep,
      signal,
    },
  );
}

/** Exported files in the engine that serves them, for the certificate. */
export function openExportedWith(choice: BackendChoice, threads: number): OpenExported {
  return async (file, adapterFile, contextTokens) => {
    const summary = await readGguf(file);
    const adapters = adapterFile === null ? [] : [{ name: 'adapter', adapter: { file: adapterFile, scale: 1 } }];
    const engines = LlamaEngine.openArms(
      { file, backend: choice, threads, slots, contextTokens, batchTokens, tags: defaultThoughtTags, maxWaiting: 64 },
      [{ name: 'certified', adapter: null }, ...adapters],
    );
    try {
      const [first] = engines;
      if (first === undefined) throw new Error('openArms gives one engine an arm');
      const { device } = await first.ready();
      const template =
        summary.chatTemplate === null
          ? null
          : new ChatTemplate({ owner: file, source: summary.chatTemplate, bosToken: summary.bosToken, eosToken: summary.eosToken });
      return engines.map((engine) => exportedModel(engine, template, device));
    } catch (error) {
      await Promise.all(engines.map((engine) => engine.close()));
      throw error;
    }
  };
}

function exportedModel(engine: LlamaEngine, template: ChatTemplate | null, device: string): ExportedModel {
  return {
    device,
    chatTemplate: template?.source ?? null,
    vocabulary: (tokens) => engine.vocabulary(tokens),
    render: (question) => template?.render([{ role: 'user', content: question }]).text ?? '',
    tokenize: (text) => engine.tokenize(text),
    read: (tokens, places, wanted) => engine.read({ tokens, places, wanted }),
    answer: async (prompt, maxTokens) => {
      let finish = { text: '', hasEnded: false };
      for await (const event of engine.generate({
        prompt,
        // The text is compared as it was written: nothing is split off or closed.
        isThoughtPreopened: false,
        isThinkingEnabled: false,
        maxTokens,
        thinkingBudgetTokens: null,
        sampling: { ...defaultSampling, temperature: 0, topP: 1 },
        seed,
        stop: [],
        stopScope: 'all',
      }))
        if (event.type === 'finish') finish = { text: event.rawText, hasEnded: event.reason === 'stop' };
      return finish;
    },
    close: () => engine.close(),
  };
}
