import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/core/store.ts';
import { ModelStore, type StoredModel } from '../../../src/train/model-store.ts';

const modelOf = (changes: Partial<StoredModel> = {}): StoredModel => ({
  id: 'run-1',
  runId: 'run-1',
  baseRef: 'smollm2-135m-instruct',
  transformersDir: '/home/runs/run-1/merged',
  ggufFile: '/home/runs/run-1/merged-q8_0.gguf',
  ggufSha256: '0'.repeat(64),
  templateFile: '/home/runs/run-1/template.jinja',
  status: 'candidate',
  createdAt: '2026-11-23T10:00:00.000Z',
  ...changes,
});

describe('ModelStore', () => {
  it('gives back what was put, absences included', () => {
    const models = new ModelStore(openStore(':memory:'));
    const bare = modelOf({
      id: 'bare',
      runId: null,
      baseRef: null,
      transformersDir: null,
      ggufFile: null,
      ggufSha256: null,
      templateFile: null,
    });
    models.put(modelOf());
    models.put(bare);
    expect(models.find('run-1')).toEqual(modelOf());
    expect(models.find('bare')).toEqual(bare);
  });

  it('replaces a model of the same id', () => {
    const models = new ModelStore(openStore(':memory:'));
    models.put(modelOf());
    models.put(modelOf({ status: 'promoted', ggufFile: null }));
    expect(models.list()).toEqual([modelOf({ status: 'promoted', ggufFile: null })]);
  });

  it('lists the newest first', () => {
    const models = new ModelStore(openStore(':memory:'));
    for (const [id, day] of [
      ['b', '02'],
      ['c', '03'],
      ['a', '01'],
    ] as const)
      models.put(modelOf({ id, createdAt: `2026-11-${day}T10:00:00.000Z` }));
    expect(models.list().map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });

  it('finds nothing under an unknown id', () => expect(new ModelStore(openStore(':memory:')).find('none')).toBeUndefined());

  it('moves paths with the home, and leaves those elsewhere', () => {
    const models = new ModelStore(openStore(':memory:'));
    models.put(modelOf());
    models.put(modelOf({ id: 'elsewhere', ggufFile: '/home-of-another/x.gguf', transformersDir: null }));
    models.moveFiles('/home', '/data/osler');
    expect(models.find('run-1')).toEqual(
      modelOf({
        transformersDir: '/data/osler/runs/run-1/merged',
        ggufFile: '/data/osler/runs/run-1/merged-q8_0.gguf',
        templateFile: '/data/osler/runs/run-1/template.jinja',
      }),
    );
    expect(models.find('elsewhere')?.ggufFile).toBe('/home-of-another/x.gguf');
  });

  it('knows which models lack a file', () => {
    const models = new ModelStore(openStore(':memory:'));
    const here = { transformersDir: import.meta.dirname, ggufFile: import.meta.filename, templateFile: null };
    models.put(modelOf({ id: 'whole', ...here }));
    models.put(modelOf({ id: 'lacking', ...here, ggufFile: '/nonexistent/x.gguf' }));
    expect(models.listWithoutFiles().map((model) => model.id)).toEqual(['lacking']);
  });
});
