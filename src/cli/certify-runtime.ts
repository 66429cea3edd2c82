import { defaultSampling } from '../engine/engine.ts';
import { ChatTemplate } from '../engine/chat-template.ts';
import { readGguf } from '../engine/gguf-file.ts';
import type { BackendChoice } from '../engine/llama/backend-choice.ts';
import { LlamaEngine } from '../engine/llama/llama-engine.ts';
import { defaultThoughtTags } from '../engine/thought-splitter.ts';
import type { ExportedModel, OpenExported } from '../train/certificate/exported-model.ts';

const batchTokens = 512;
const slots = 8;
const seed = 3407;

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
