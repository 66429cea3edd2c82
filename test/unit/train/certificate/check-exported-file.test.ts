import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import { checkExportedFile, type ExportedFile } from '../../../../src/train/certificate/check-exported-file.ts';
import type { ExportedModel } from '../../../../src/train/certificate/exported-model.ts';
import type { LoadedReference } from '../../../../src/train/certificate/reference.ts';

const greedy = [{ ids: [5, 6], text: 'ab', ends: [1, 2] }];
const distribution = { ids: [7, 8], logprobs: [Math.log(0.7), Math.log(0.2)] };
const loaded: LoadedReference = {
  reference: {
    schemaVersion: 1,
    runId: 'run-1',
    isHeldOut: true,
    vocabulary: 100,
    maxRest: 0.001,
    computedIn: { device: 'cpu', dtype: 'float32' },
    baseFiles: [],
    mergedFiles: [],
    templateSha256: sha256('template'),
    bosId: 1,
    eosId: 2,
    rows: [{ id: 'r', text: 'r', ids: [1, 9, 2], isTruncated: false }],
    prompts: [{ id: 'p', question: 'q', text: 'p', ids: [1, 9] }],
    texts: [{ id: 't', ids: [1, 9, 7, 8], places: [2] }],
    arms: { base: { nll: 2, greedy }, merged: { nll: 1, greedy } },
    tuning: { kl: 0.5, sameTop: 0.5 },
    inMemory: null,
  },
  distributions: { base: [distribution], merged: [distribution] },
};

function bench() {
  const opened: string[] = [];
  let closed = 0;
  const model: { -readonly [K in keyof ExportedModel]: ExportedModel[K] } = {
    device: 'CPU',
    chatTemplate: 'template',
    vocabulary: async () => ({ size: 100, bosId: 1, eosId: 2, addsBos: false, endIds: [2] }),
    render: () => 'p',
    tokenize: async (text) => (text === 'p' ? [1, 9] : [1, 9, 2]),
    read: async (_tokens, _places, wanted) => wanted.map(() => ({ logprobs: distribution.logprobs, likeliest: 7 })),
    answer: async () => ({ text: 'ab', hasEnded: false }),
    close: async () => {
      closed += 1;
    },
  };
  const deps = {
    open: async (file: string, adapterFile: string | null) => {
      opened.push(adapterFile === null ? file : `${file}+${adapterFile}`);
      return adapterFile === null ? [model] : [model, model];
    },
    baseGguf: async (type: string) => `base-${type}.gguf`,
  };
  const check = async (changes: Partial<ExportedFile> = {}) =>
    checkExportedFile(
      { type: 'f16', file: 'merged.gguf', adapterFile: null, problem: null, hasWrongWeights: false, ...changes },
      deps,
      loaded,
    );
  return { check, opened, model, closed: () => closed };
}

describe('checkExportedFile', () => {
  it('loads the file, then the base of the same type with the adapter over it, one after the other', async () => {
    const { check, opened, closed } = bench();
    const { checks, device } = await check({ adapterFile: 'adapter.gguf' });
    expect(checks.map(({ id, status }) => `${id} ${status}`)).toEqual(
      ['template', 'tokens', 'bos', 'eos', 'divergence', 'greedy', 'arms'].map((kind) => `${kind}/f16 passed`),
    );
    expect(device).toBe('CPU');
    expect(opened).toEqual(['merged.gguf', 'base-f16.gguf+adapter.gguf']);
    expect(closed()).toBe(3);
  });

  it('asks a file of wrong weights for its tokens alone', async () => {
    const { check, opened } = bench();
    const { checks } = await check({ hasWrongWeights: true });
    expect(checks.filter(({ status }) => status === 'notRun').map(({ kind }) => kind)).toEqual(['divergence', 'greedy', 'arms']);
    expect(opened).toEqual(['merged.gguf']);
  });

  it('does not load what cannot be read', async () => {
    const { check, opened } = bench();
    const { checks } = await check({ problem: 'It was cut off.' });
    expect(new Set(checks.map(({ status }) => status))).toEqual(new Set(['notRun']));
    expect(opened).toEqual([]);
  });

  it('closes what it opened where something fails', async () => {
    const { check, model, closed } = bench();
    model.read = async () => {
      throw new Error('the engine stopped');
    };
    await expect(check()).rejects.toThrow('the engine stopped');
    expect(closed()).toBe(1);
  });
});
