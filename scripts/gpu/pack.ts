/**
 * Packs what a CUDA host without network needs, in parts of a bounded size: Node 24 with the production packages, npm (which starts
 * CMake), llama.cpp's sources and the trainer's Python packages. The package itself is not among it: bring a checkout.
 *
 *   node scripts/gpu/pack.ts --out .gpu/parts --part-mb 48 --python 3.12 --host-has torch,transformers --engine --add model.gguf
 *
 * On the host, once all parts are there: bash scripts/gpu/set-up.sh PARTS TARGET (docs/gpu-host.md).
 */
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { readConfig } from '../../src/core/config.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { findLocalBuilds } from '../../src/engine/llama/installed-addons.ts';
import { ensureLlamaQuantize } from '../../src/train/export/llama-quantize.ts';

const platforms = ['28', '24', '34', '31', '27', '17', '12'].map((minor) => `manylinux_2_${minor}_x86_64`).concat('manylinux2014_x86_64');
/** Parts of llama.cpp that compiling and converting do without. */
const unneededSources = ['.git', 'docs', 'models', 'media', 'benches', 'tests', 'app', 'examples', 'tools/ui'];
/** Folders of Python packages that training does without: Unsloth's desktop application, and bitsandbytes for other cards. */
const unneededPython = /^(?:studio|unsloth_cli|test|bin)$/;
const unneededLibrary = /^libbitsandbytes_(?!cpu|cuda13)/;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: '.gpu/parts' },
    'part-mb': { type: 'string', default: '48' },
    python: { type: 'string', default: '3.12' },
    'host-has': { type: 'string', default: 'torch' },
    engine: { type: 'boolean', default: false },
    add: { type: 'string', multiple: true, default: [] },
  },
});
const work = await mkdtemp(path.join(os.tmpdir(), 'osler-pack-'));
try {
  await packNode(path.join(work, 'node_modules'));
  const llama = path.join(work, 'node_modules/node-llama-cpp/llama');
  await packSources(path.join(llama, 'llama.cpp'));
  if (values.engine) {
    await packEngine(path.join(llama, 'localBuilds'));
    await packQuantizer(path.join(work, 'home/cache'));
  }
  await packPython(path.join(work, 'site'));
  await mkdir(path.join(work, 'files'));
  for (const file of values.add) await cp(file, path.join(work, 'files', path.basename(file)));
  await split(path.resolve(values.out), Number(values['part-mb']));
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Production packages without prebuilt engines, the Node that runs them, and npm. */
async function packNode(target: string): Promise<void> {
  say('Node, npm and the production packages');
  const listed = await execa('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: packageRoot, reject: false });
  const inside = path.join(packageRoot, 'node_modules');
  const folders = listed.stdout.split('\n').filter((line) => line.startsWith(`${inside}${path.sep}`) && !line.includes('@node-llama-cpp'));
  for (const folder of folders) {
    const to = path.join(target, path.relative(inside, folder));
    // Node lists nested packages too; they come with the one that holds them.
    if ((await stat(to).catch(() => undefined)) === undefined) await cp(folder, to, { recursive: true, filter: isWanted });
  }
  await mkdir(path.join(target, '.bin'), { recursive: true });
  await symlink('../cmake-js/bin/cmake-js', path.join(target, '.bin/cmake-js'));
  const npm = await execa('npm', ['root', '-g']);
  await cp(path.join(await realpath(npm.stdout.trim()), 'npm'), path.join(work, 'npm'), { recursive: true });
}

function isWanted(source: string): boolean {
  return !/node-llama-cpp\/llama\/(?:llama\.cpp|localBuilds|gitRelease\.bundle)|\.map$/.test(source);
}

/** An empty `.git` tells node-llama-cpp that the sources are there. */
async function packSources(target: string): Promise<void> {
  say('llama.cpp');
  const bundle = path.join(packageRoot, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
  await execa('git', ['clone', '--quiet', bundle, target]);
  for (const name of unneededSources) await rm(path.join(target, name), { recursive: true, force: true });
  await mkdir(path.join(target, '.git'));
  const release = await readFile(path.join(target, '../binariesGithubRelease.json'), 'utf8');
  const tag = /"release"\s*:\s*"([^"]+)"/.exec(release)?.[1];
  await writeFile(path.join(target, '../llama.cpp.info.json'), JSON.stringify({ tag, llamaCppGithubRepo: 'ggml-org/llama.cpp' }));
}

/** What `osler engine build --gpu cuda --portable` made here, without the objects that it was made of. */
async function packEngine(target: string): Promise<void> {
  const build = (await findLocalBuilds()).find(({ gpu }) => gpu === 'cuda');
  if (build === undefined)
    throw new Error('There is no engine for CUDA here. Make one: osler engine build --gpu cuda --cuda-architectures 90 --portable');
  say(`the engine, ${JSON.stringify(build.cmakeOptions)}`);
  for (const name of ['Release', 'buildDone.status'])
    await cp(path.join(build.folder, name), path.join(target, path.basename(build.folder), name), {
      recursive: true,
      preserveTimestamps: true,
    });
}

/** llama-quantize, compiled here where it is not yet: static, for any processor of this kind. */
async function packQuantizer(target: string): Promise<void> {
  say('llama-quantize');
  // One that is installed here would not be there.
  const program = await ensureLlamaQuantize({
    cacheDir: path.join(readConfig().home, 'cache'),
    installed: path.join(work, 'none'),
    onStep: say,
  });
  const folder = path.dirname(path.dirname(program));
  for (const name of ['bin/llama-quantize', 'osler-build.json'])
    await cp(path.join(folder, name), path.join(target, path.basename(folder), name));
}

/** Wheels for the host's Python, unpacked; what the host has is left out. */
async function packPython(target: string): Promise<void> {
  say('Python packages');
  const has = new Set(values['host-has'].split(','));
  const files = ['requirements-cuda.txt', 'requirements-cuda-unsloth.txt'].map((name) => path.join(packageRoot, 'python', name));
  const lines = (await Promise.all(files.map(async (file) => await readFile(file, 'utf8')))).join('\n').split('\n');
  const wanted = lines.filter((line) => /^[A-Za-z]/.test(line) && !has.has(line.split('==', 1)[0] ?? ''));
  const wheels = path.join(work, 'wheels');
  const pip = async (...words: string[]): Promise<void> => {
    const flags = ['--no-deps', '--only-binary=:all:', '--python-version', values.python, '--implementation', 'cp'];
    await execa('python3', ['-m', 'pip', ...words, '-q', ...flags, ...platforms.flatMap((name) => ['--platform', name])]);
  };
  await pip('download', '-d', wheels, ...wanted);
  // What a pinned package pins in its turn.
  const pydantic = (await readdir(wheels)).find((name) => name.startsWith('pydantic-')) ?? '';
  const metadata = await execa('unzip', ['-p', path.join(wheels, pydantic), '*/METADATA']);
  const core = /^Requires-Dist: (pydantic-core==\S+)/m.exec(metadata.stdout)?.[1];
  await pip('download', '-d', wheels, ...(core === undefined ? [] : [core]), 'annotated-types', 'typing-inspection');
  await pip('install', '--no-index', '--no-compile', '--target', target, ...(await readdir(wheels)).map((name) => path.join(wheels, name)));
  await rm(wheels, { recursive: true });
  for (const name of await readdir(target)) if (unneededPython.test(name)) await rm(path.join(target, name), { recursive: true });
  const libraries = path.join(target, 'bitsandbytes');
  for (const name of await readdir(libraries)) if (unneededLibrary.test(name)) await rm(path.join(libraries, name));
}

/** `<out>/<number>/part`, each in a folder of its own so that they can be sent one by one. */
async function split(out: string, partMb: number): Promise<void> {
  say('compressing');
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const archive = path.join(out, 'osler.tar.xz');
  await execa('tar', ['-c', '-f', archive, '-I', 'xz -T0 -3', '-C', work, ...(await readdir(work))]);
  await execa('split', ['-b', `${partMb}MB`, '-d', '-a', '2', archive, path.join(out, 'part-')]);
  await rm(archive);
  for (const name of (await readdir(out)).toSorted()) {
    const folder = path.join(out, name.replace('part-', ''));
    await mkdir(folder);
    await rename(path.join(out, name), path.join(folder, 'part'));
    console.log(`${path.join(folder, 'part')}  ${((await stat(path.join(folder, 'part'))).size / 1e6).toFixed(1)} MB`);
  }
}

function say(what: string): void {
  console.log(`▸ ${what}`);
}
