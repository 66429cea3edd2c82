import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { probeModelBytes } from '../../../src/engine/llama/probe-model.ts';
import { allInstructions, environmentOf, lastOf, parseCopy, readDockerfile } from '../../support/dockerfile.ts';
import { eventually } from '../support/eventually.ts';
import { filesBelow, ImageTree } from '../support/image-tree.ts';

// No container engine is needed: the images' files are laid out in a folder and run from there.
const stages = readDockerfile(path.join(packageRoot, 'Dockerfile'));
let folder = '';
let root = '';
let tree: ImageTree;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-image-'));
  tree = new ImageTree(stages, path.join(folder, 'stages'));
  root = await tree.root('cpu');
  for (const name of ['data', 'cache/tmp']) await mkdir(path.join(root, name), { recursive: true });
}, 300_000);
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** The image's environment, its own folders being those of the tree. */
function environment(additions: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(environmentOf(allInstructions(stages, 'cpu'))).map(([name, value]) => [
    name,
    value.replace(/^\/(?=data|cache)/, `${root}/`),
  ]);
  return { PATH: process.env['PATH'] ?? '', HOME: path.join(root, 'cache'), ...Object.fromEntries(own), ...additions };
}

/** What ENTRYPOINT runs after tini. */
function entrypoint(): [string, ...string[]] {
  const words: unknown = JSON.parse(lastOf(allInstructions(stages, 'cpu'), 'ENTRYPOINT') ?? '[]');
  expect(words).toEqual(['tini', '--', 'node', '/app/bin/osler.js']);
  return [process.execPath, path.join(root, 'app/bin/osler.js')];
}

async function osler(words: readonly string[], additions: Record<string, string> = {}) {
  const [command, ...first] = entrypoint();
  const options = { cwd: path.join(root, 'data'), env: environment(additions), extendEnv: false, reject: false, timeout: 120_000 } as const;
  return await execa(command, [...first, ...words], options);
}

describe('the files of the cpu image', () => {
  it('hold all that the package has, compiled, and no sources, tests, weights or development', async () => {
    const files = await filesBelow(path.join(root, 'app'));
    const published: unknown = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')).files;
    expect(published).toEqual(expect.arrayContaining(['bin', 'dist', 'python']));
    for (const name of published as string[]) expect(existsSync(path.join(root, 'app', name)), name).toBe(true);
    expect(files).toContain('dist/src/cli/main.js');
    expect(files).toContain('LICENSE');
    expect(files.filter((file) => /(?:^src\/|\.ts$|^test\/|python\/tests|__pycache__|\.gguf$|\.safetensors$|^\.)/.test(file))).toEqual([]);
    expect(lstatSync(path.join(root, 'app/node_modules')).isSymbolicLink()).toBe(true);
  });

  it('run osler, with presets, data, templates, registry and benchmarks at hand, and write nothing beside themselves', async () => {
    const before = await filesBelow(path.join(root, 'app'));
    const help = await osler(['--help']);
    expect(help.exitCode, help.stderr).toBe(0);
    expect(help.stdout).toContain('Usage: osler');
    const recipe = await osler(['train', '--preset', 'tutorial', '--show-recipe']);
    expect(JSON.parse(recipe.stdout)).toMatchObject({ name: 'tutorial' });
    // It ends at the Python that this test withholds: rows, template and base were found before.
    const train = await osler(['train', '--preset', 'smoke'], { OSLER_PYTHON: '/nonexistent/python3' });
    expect(train.stderr).toContain('[OSLER_ERR_PYTHON_MISSING]');
    const evaluation = await osler(['eval', '--base', 'none', '--tuned', 'none', '--tasks', 'mini']);
    expect(evaluation.stderr).toContain('There is no model "none"');
    expect(evaluation.stderr).toContain('smollm2-135m-instruct');
    expect(await filesBelow(path.join(root, 'app'))).toEqual(before);
    expect(existsSync(path.join(root, 'data/osler.sqlite'))).toBe(true);
  }, 240_000);

  it('serve a model, and its health check follows', async () => {
    const model = path.join(root, 'data/tiny.gguf');
    await writeFile(model, probeModelBytes('tiny'));
    const template = path.join(root, 'data/template.jinja');
    await writeFile(template, '{% for message in messages %}{{ message.content }}{% endfor %}');
    const [command, ...first] = entrypoint();
    const words = [
      'serve',
      '--model',
      `tiny=${model}`,
      '--template',
      `tiny=${template}`,
      '--port',
      '0',
      '--context',
      '256',
      '--slots',
      '1',
    ];
    const server = spawn(command, [...first, ...words], { cwd: path.join(root, 'data'), env: environment({ OSLER_LOG_LEVEL: 'silent' }) });
    try {
      const port = await portOf(server);
      expect(await healthCheck(port)).toBe(0);
      const models = await fetch(`http://127.0.0.1:${port}/v1/models`);
      expect(await models.json()).toMatchObject({ data: [{ id: 'tiny' }] });
      const ended = once(server, 'exit');
      server.kill(lastOf(allInstructions(stages, 'cpu'), 'STOPSIGNAL') as NodeJS.Signals);
      expect((await ended)[0]).toBe(0);
      expect(await healthCheck(port)).toBe(1);
    } finally {
      server.kill('SIGKILL');
    }
  }, 240_000);
});

/** The port that a server says it listens on. */
async function portOf(server: ChildProcess): Promise<number> {
  let output = '';
  let hasEnded = false;
  server.stderr?.on('data', (chunk) => (output += String(chunk)));
  server.once('exit', () => (hasEnded = true));
  const port = (): string | undefined => /serving at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
  await eventually('the server serves', () => port() !== undefined || hasEnded, 120_000);
  expect(port(), output).toBeDefined();
  return Number(port());
}

/** Exit code of the image's HEALTHCHECK, asked of another port. */
async function healthCheck(port: number): Promise<number | undefined> {
  const [, json = '[]'] = /CMD (\[.*\])$/.exec(lastOf(allInstructions(stages, 'cpu'), 'HEALTHCHECK') ?? '') ?? [];
  const [node, ...words] = (JSON.parse(json) as string[]).map((word) => word.replace(':8080/', `:${port}/`));
  expect(node).toBe('node');
  expect(words.join(' ')).toContain(`:${port}/livez`);
  return (await execa(process.execPath, words, { reject: false })).exitCode;
}

describe('the other targets', () => {
  it.each(['cuda', 'cuda-train'])('%s has the same files and settings as cpu, but for the engine’s binaries', async (name) => {
    const instructions = allInstructions(stages, name);
    const copies = (of: string): string[] =>
      allInstructions(stages, of)
        .filter((instruction) => instruction.name === 'COPY')
        .map(({ rest }) => parseCopy(rest))
        .filter(({ sources }) => !sources.includes('/usr/local/bin/node'))
        .map(({ from, sources, target }) => `${from?.replace(/-(?:cpu|cuda)$/, '')} ${sources.join(' ')} ${target}`);
    expect(copies(name)).toEqual(copies('cpu'));
    expect(await filesBelow(path.join(await tree.root(name), 'app'))).toEqual(await filesBelow(path.join(root, 'app')));
    for (const kind of ['WORKDIR', 'USER', 'VOLUME', 'EXPOSE', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'])
      expect(lastOf(instructions, kind), kind).toBe(lastOf(allInstructions(stages, 'cpu'), kind));
    expect(environmentOf(instructions)).toMatchObject({ OSLER_HOME: '/data', NODE_ENV: 'production' });
  });
});
