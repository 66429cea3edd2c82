import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { listPresets, parseAssignments, resolveRecipe } from '../../../src/train/recipe.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('the presets', () => {
  it('are three, each valid and named as its file', async () => {
    expect(listPresets()).toEqual(['recommended', 'smoke', 'tutorial']);
    for (const preset of listPresets()) expect((await resolveRecipe({ preset })).name).toBe(preset);
  });

  it('tutorial is the tutorial’s recipe, field by field', async () => {
    const { base, data, template, lora, trainer, tracking, output, ...rest } = await resolveRecipe({ preset: 'tutorial' });
    expect(rest).toEqual({ schemaVersion: 1, name: 'tutorial', backend: 'auto' });
    // Loaded in 4 bit, max_seq_length 2048, dtype auto.
    expect(base).toEqual({
      ref: 'unsloth/DeepSeek-R1-Distill-Llama-8B',
      revision: null,
      loadIn4bit: true,
      dtype: 'auto',
      maxLengthTokens: 2048,
    });
    // Configuration en, split train[0:500]; held-out rows come out of [500:].
    expect(data).toMatchObject({
      ref: 'FreedomIntelligence/medical-o1-reasoning-SFT',
      config: 'en',
      offset: 0,
      limit: 500,
      columns: { question: 'Question', thought: 'Complex_CoT', answer: 'Response' },
    });
    expect(data.heldOutRows).toBeGreaterThan(0);
    expect(template).toBe('medical-cot');
    // Adapter.
    expect(lora).toEqual({
      rank: 16,
      alpha: 16,
      dropout: 0,
      bias: 'none',
      targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
      gradientCheckpointing: 'unsloth',
      randomState: 3407,
      useRslora: false,
      loftqConfig: null,
    });
    // Trainer; saveSteps is ours, since the tutorial keeps no checkpoint to resume from.
    const { saveSteps, ...tutorialTrainer } = trainer;
    expect(saveSteps).toBeLessThanOrEqual(60);
    expect(tutorialTrainer).toEqual({
      perDeviceBatchSize: 2,
      gradientAccumulationSteps: 4,
      warmupSteps: 5,
      maxSteps: 60,
      epochs: null,
      learningRate: 2e-4,
      lrScheduler: 'linear',
      weightDecay: 0.01,
      optimizer: 'adamw_8bit',
      loggingSteps: 10,
      seed: 3407,
      datasetWorkers: 2,
      processes: 1,
      packing: false,
      precision: 'auto',
      lossOn: 'all',
      evalSteps: null,
      earlyStopPatience: null,
      keepBestCheckpoint: false,
    });
    expect(tracking).toEqual({
      reportTo: [],
      project: 'Fine-tune-DeepSeek-R1-Distill-Llama-8B on Medical COT Dataset',
      jobType: 'training',
    });
    expect(output.name).toBe('DeepSeek-R1-Medical-COT');
  });

  it('recommended scores the response only, with a cosine, two epochs, early stop and the best checkpoint', async () => {
    const { trainer, data } = await resolveRecipe({ preset: 'recommended' });
    expect(trainer).toMatchObject({ lossOn: 'response', lrScheduler: 'cosine', epochs: 2, maxSteps: null, keepBestCheckpoint: true });
    expect(trainer.earlyStopPatience).not.toBeNull();
    expect(trainer.evalSteps).not.toBeNull();
    expect(data.heldOutRows).toBeGreaterThan(0);
  });

  it('smoke trains the embedded model on the project’s own rows on any machine', async () => {
    expect(await resolveRecipe({ preset: 'smoke' })).toMatchObject({
      backend: 'peft',
      base: { ref: 'smollm2-135m-instruct', loadIn4bit: false },
      data: { ref: 'data/train/osler-medical-cot.jsonl' },
      template: 'medical-cot',
      trainer: { optimizer: 'adamw_torch' },
    });
  });
});

describe('resolveRecipe', () => {
  it('names the presets where one is unknown', async () => {
    const error = await errorOf(() => resolveRecipe({ preset: 'tutrial' }));
    expect(error.code).toBe('OSLER_ERR_RECIPE_PRESET_UNKNOWN');
    expect(error.message).toContain('"tutrial"');
    expect(error.message).toContain('recommended, smoke, tutorial');
  });

  it('changes the fields that are set and no other', async () => {
    const before = await resolveRecipe({ preset: 'tutorial' });
    const after = await resolveRecipe({ preset: 'tutorial', set: { 'trainer.maxSteps': 5, 'base.ref': 'mine', template: 'other.jinja' } });
    expect(after).toEqual({
      ...before,
      template: 'other.jinja',
      base: { ...before.base, ref: 'mine' },
      trainer: { ...before.trainer, maxSteps: 5 },
    });
  });

  it('reports several problems at once: unknown fields, wrong values and rules over fields', async () => {
    const error = await errorOf(() =>
      resolveRecipe({
        preset: 'tutorial',
        set: {
          'trainer.maxstep': 5,
          'lora.rank': 'sixteen',
          'trainer.seed.value': 1,
          'output.name': 'no spaces please',
          '__proto__.toString': 1,
        },
      }),
    );
    expect(error.code).toBe('OSLER_ERR_RECIPE_INVALID');
    expect(error.message).toContain('5 problem(s)');
    expect(error.message).toMatch(/trainer\.maxstep: there is no such field \(there are: .*maxSteps/);
    expect(error.message).toContain('trainer.seed.value: "seed" has no fields');
    expect(error.message).toContain('lora.rank: ');
    expect(error.message).toContain('output.name: ');
    expect(error.message).toContain('__proto__.toString: there is no such field');
  });

  it.each([
    [{ 'trainer.epochs': 1 }, 'exactly one of trainer.maxSteps and trainer.epochs'],
    [{ 'trainer.maxSteps': null }, 'exactly one of trainer.maxSteps and trainer.epochs'],
    [{ 'trainer.earlyStopPatience': 2 }, 'need trainer.evalSteps'],
    [{ 'trainer.keepBestCheckpoint': true }, 'need trainer.evalSteps'],
  ])('refuses %j, which does not go together with the rest', async (set, words) => {
    expect((await errorOf(() => resolveRecipe({ preset: 'tutorial', set }))).message).toContain(words);
  });

  it('takes the path of a recipe file in place of a preset', async () => {
    const file = path.join(temporaryFolder(), 'mine.json');
    const recipe = { ...(await resolveRecipe({ preset: 'smoke' })), name: 'mine' };
    await writeFile(file, JSON.stringify(recipe));
    expect(await resolveRecipe({ preset: file })).toEqual(recipe);
  });

  it.each([
    ['not JSON', '{ "name": '],
    ['an array', '[]'],
  ])('refuses a recipe file that is %s', async (_title, text) => {
    const file = path.join(temporaryFolder(), 'mine.json');
    await writeFile(file, text);
    const error = await errorOf(() => resolveRecipe({ preset: file }));
    expect(error.code).toBe('OSLER_ERR_RECIPE_INVALID');
    expect(error.message).toContain('is not a JSON object');
  });

  it('says that a recipe file is missing', async () => {
    expect((await errorOf(() => resolveRecipe({ preset: './none.json' }))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  it('refuses a field that no recipe has, so that a misspelt one is not passed over', async () => {
    const file = path.join(temporaryFolder(), 'mine.json');
    await writeFile(file, JSON.stringify({ ...(await resolveRecipe({ preset: 'smoke' })), learningRate: 1 }));
    expect((await errorOf(() => resolveRecipe({ preset: file }))).message).toContain('learningRate');
  });
});

describe('parseAssignments', () => {
  it('takes JSON where the text is JSON, and text otherwise', () => {
    expect(
      parseAssignments([
        'trainer.maxSteps=5',
        'trainer.learningRate=2e-4',
        'base.loadIn4bit=false',
        'data.limit=null',
        'tracking.reportTo=["wandb"]',
        'base.ref=owner/name',
        'output.name="007"',
      ]),
    ).toEqual({
      'trainer.maxSteps': 5,
      'trainer.learningRate': 2e-4,
      'base.loadIn4bit': false,
      'data.limit': null,
      'tracking.reportTo': ['wandb'],
      'base.ref': 'owner/name',
      'output.name': '007',
    });
  });

  it('cuts at the first equals sign, takes an empty text, and lets the last of two win', () => {
    expect(parseAssignments(['data.ref=a=b=c', 'base.ref=', 'x=1', 'x=2'])).toEqual({ 'data.ref': 'a=b=c', 'base.ref': '', x: 2 });
  });

  it.each(['trainer.maxSteps', '=5', ''])('refuses %j, which is no assignment', async (word) => {
    const error = await errorOf(() => parseAssignments([word]));
    expect(error.code).toBe('OSLER_ERR_RECIPE_INVALID');
    expect(error.message).toContain(`"${word}" is not of the form field=value`);
  });
});
