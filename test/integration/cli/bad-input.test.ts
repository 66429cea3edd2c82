import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliResult, runOsler } from '../support/cli.ts';

let home = '';
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'osler-cli-'));
});
afterEach(async () => await rm(home, { recursive: true, force: true }));

const goodRow = JSON.stringify({ Question: 'q', Complex_CoT: 't', Response: 'a' });

async function write(name: string, content: string | Buffer): Promise<string> {
  await writeFile(path.join(home, name), content);
  return path.join(home, name);
}

/** One clear error with its code, after the steps that were begun, and no stack trace. */
function expectClear(result: CliResult, exitCode: number, code: string): void {
  expect(result.exitCode, result.stderr).toBe(exitCode);
  expect(result.stderr).toMatch(new RegExp(`^(?:▸ [^\\n]*\\n)*osler: .*\\[${code}\\]$`, 's'));
  expect(result.stderr).not.toMatch(/^ +at |unexpected failure|node_modules/m);
  expect(result.stdout).toBe('');
}

describe('osler', () => {
  it('explains itself, and every command does', async () => {
    const help = await runOsler(['--help'], { home });
    expect(help.exitCode).toBe(0);
    for (const command of ['demo', 'train', 'runs', 'serve', 'eval']) expect(help.stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(help.stdout).toContain('not a medical device');
    for (const words of [
      ['train', '--help'],
      ['serve', '--help'],
      ['runs', 'show', '--help'],
    ]) {
      const result = await runOsler(words, { home });
      expect(result.exitCode, words.join(' ')).toBe(0);
      expect(result.stdout).toContain(`Usage: osler ${words.slice(0, -1).join(' ')}`);
    }
    // Asking for help writes nothing.
    expect(await readdir(home)).toEqual([]);
  });

  it.each([
    ['no command', [], 'Usage: osler'],
    ['an unknown command', ['trian'], "unknown command 'trian'"],
    ['an unknown option', ['train', '--presets', 'smoke'], "unknown option '--presets'"],
    ['a missing word', ['runs', 'show'], "missing required argument 'id'"],
    ['a missing option', ['eval', '--base', 'x'], "required option '--tuned <ref>' not specified"],
    ['a port that is no number', ['serve', '--model', 'x=y', '--port', 'http'], 'a whole number is wanted'],
    ['a port that there cannot be', ['serve', '--model', 'x=y', '--port', '70000'], 'a port is at most 65535'],
    ['no slots', ['serve', '--model', 'x=y', '--slots', '0'], '1 or more is wanted'],
    ['more slots than llama.cpp has', ['serve', '--model', 'x=y', '--slots', '300'], 'lower --slots from "300"'],
  ])('ends with 2 on %s', async (_title, words, message) => {
    const result = await runOsler(words, { home });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toMatch(/^ +at /m);
  });

  it('suggests the command that was meant', async () => {
    expect((await runOsler(['trian'], { home })).stderr).toContain('Did you mean train?');
  });

  it('reports every problem of the environment', async () => {
    const env = { OSLER_API_KEY: 'short', OSLER_THREADS: 'many', OSLER_LOG_LEVEL: 'loud' };
    const result = await runOsler(['runs'], { home, env });
    expectClear(result, 2, 'OSLER_ERR_CONFIG_INVALID');
    for (const name of Object.keys(env)) expect(result.stderr).toContain(name);
  });
});

describe('osler runs', () => {
  it('says how to start one in an empty home', async () => {
    const result = await runOsler(['runs'], { home });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('No runs yet. Start one: npx osler train');
    expect(JSON.parse((await runOsler(['runs', '--json'], { home })).stdout)).toEqual([]);
  });

  it('ends with 2 on a run it does not have', async () => {
    const result = await runOsler(['runs', 'show', 'run-none'], { home });
    expectClear(result, 2, 'OSLER_ERR_NOT_FOUND');
    expect(result.stderr).toContain('"run-none"');
  });
});

describe('osler train', () => {
  /** Refused before anything was done: no run, no folder of one. */
  async function refused(words: readonly string[], code: string, env: Record<string, string> = {}): Promise<string> {
    const result = await runOsler(['train', ...words], { home, env });
    expectClear(result, 2, code);
    expect(await readdir(home)).not.toContain('runs');
    expect((await runOsler(['runs'], { home })).stdout).toContain('No runs yet');
    return result.stderr;
  }

  it('names the presets where one is unknown', async () => {
    expect(await refused(['--preset', 'turbo'], 'OSLER_ERR_RECIPE_PRESET_UNKNOWN')).toContain('recommended, smoke, tutorial');
  });

  it('names every unknown field and wrong value', async () => {
    const stderr = await refused(['--set', 'trainer.speed=9', '--set', 'lora.rank=big'], 'OSLER_ERR_RECIPE_INVALID');
    expect(stderr).toContain('trainer.speed');
    expect(stderr).toContain('lora.rank');
  });

  it('names a missing file of rows', async () => {
    expect(await refused(['--data', 'nothing/here.jsonl'], 'OSLER_ERR_FILE_NOT_FOUND')).toContain('"nothing/here.jsonl"');
  });

  it('names every malformed row by its line', async () => {
    const lines = [goodRow, '{oops', goodRow, '[]', '{"Question":"q","Complex_CoT":" ","Response":"a"}', '{"Question":1}', goodRow];
    const file = await write('rows.jsonl', lines.join('\n'));
    const stderr = await refused(['--data', file], 'OSLER_ERR_DATA_ROWS');
    expect(stderr).toContain('4 unusable row(s)');
    for (const problem of [
      'line 2: not valid JSON',
      'line 4: not a JSON object',
      'line 5: Complex_CoT',
      'line 6: Question',
      'line 6: Response',
    ])
      expect(stderr).toContain(problem);
    expect(stderr).not.toMatch(/line [137]:/);
  });

  it('names a column that is not there, and those that are', async () => {
    const file = await write('rows.jsonl', `${JSON.stringify({ frage: 'q', Complex_CoT: 't', Response: 'a' })}\n`);
    const stderr = await refused(['--data', file], 'OSLER_ERR_DATA_COLUMNS');
    expect(stderr).toContain('no column "Question"');
    expect(stderr).toContain('frage, Complex_CoT, Response');
  });

  it('refuses a file without rows, and one too short to hold any out', async () => {
    expect(await refused(['--data', await write('empty.jsonl', '\n')], 'OSLER_ERR_DATA_EMPTY')).toContain('empty.jsonl');
    expect(await refused(['--data', await write('one.jsonl', `${goodRow}\n`)], 'OSLER_ERR_DATA_EMPTY')).toContain('it has 1');
  });

  it('refuses to go on with a run it does not have', async () => {
    expect(await refused(['--resume', 'run-none'], 'OSLER_ERR_NOT_FOUND')).toContain('"run-none"');
  });

  it('prints the resolved recipe and does nothing else where asked to', async () => {
    const result = await runOsler(['train', '--preset', 'tutorial', '--show-recipe', '--set', 'trainer.seed=1'], { home });
    expect(result.exitCode).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ name: 'tutorial', trainer: { seed: 1 } });
    expect(await readdir(home)).toEqual([]);
  });
});

describe('osler serve', () => {
  it.each([
    ['no GGUF file at all', () => Buffer.from('this is a text file, longer than a header of 24 bytes')],
    ['an empty file', () => Buffer.alloc(0)],
    ['a header of nonsense', () => Buffer.concat([Buffer.from('GGUF\x03\0\0\0', 'latin1'), Buffer.alloc(4000, 0xff)])],
    [
      'a header that is cut off',
      () => Buffer.concat([Buffer.from('GGUF\x03\0\0\0', 'latin1'), Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8])]),
    ],
    ['an unknown version', () => Buffer.concat([Buffer.from('GGUF\x63\0\0\0', 'latin1'), Buffer.alloc(100)])],
  ])('ends with 2 on %s', async (_title, content) => {
    const file = await write('model.gguf', content());
    const result = await runOsler(['serve', '--model', `tuned=${file}`, '--port', '0'], { home });
    expectClear(result, 2, 'OSLER_ERR_MODEL_CORRUPT');
    expect(result.stderr).toContain(file);
  });

  it('ends with 2 on a model that there is not, naming those it knows', async () => {
    const result = await runOsler(['serve', '--model', `tuned=${home}/missing.gguf`], { home });
    expectClear(result, 2, 'OSLER_ERR_MODEL_UNKNOWN');
    expect(result.stderr).toContain('smollm2-135m-instruct');
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org'])('does not bind to %s without an API key', async (host) => {
    const result = await runOsler(['serve', '--model', 'tuned=x', '--host', host], { home });
    expectClear(result, 2, 'OSLER_ERR_SERVER_BIND');
    expect(result.stderr).toContain('OSLER_API_KEY');
  });

  it.each([
    ['no model', [], 'There is no model to serve'],
    ['a model without a name', ['--model', 'model.gguf'], 'not of the form name=value'],
    ['a name twice', ['--model', 'a=x', '--model', 'a=y'], 'twice'],
    ['a template for nobody', ['--model', 'a=x', '--template', 'b=y'], 'no --model of that name'],
  ])('ends with 2 on %s', async (_title, words, message) => {
    const result = await runOsler(['serve', ...words], { home });
    expectClear(result, 2, 'OSLER_ERR_USAGE');
    expect(result.stderr).toContain(message);
  });
});
