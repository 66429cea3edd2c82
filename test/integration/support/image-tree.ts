import { existsSync, statSync } from 'node:fs';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { packageRoot } from '../../../src/core/package-root.ts';
import { allInstructions, contextFilter, parseCopy, type Stage } from '../../support/dockerfile.ts';

/**
 * Lays out the files of the Dockerfile's stages below a folder, as an engine would, without one: COPY and WORKDIR are followed,
 * `npm run build` is run, and `npm ci` becomes a link to the packages of this checkout. Nothing else is run.
 */
export class ImageTree {
  readonly #stages: readonly Stage[];
  readonly #folder: string;
  readonly #isInContext = contextFilter(path.join(packageRoot, '.dockerignore'));
  readonly #made = new Map<string, Promise<string>>();

  constructor(stages: readonly Stage[], folder: string) {
    this.#stages = stages;
    this.#folder = folder;
  }

  /** Root of a stage's file system. Throws where a COPY names what is not there. */
  async root(name: string): Promise<string> {
    const made = this.#made.get(name) ?? this.#make(name);
    this.#made.set(name, made);
    return await made;
  }

  async #make(name: string): Promise<string> {
    const root = path.join(this.#folder, name);
    let workdir = '/';
    for (const { name: kind, rest } of allInstructions(this.#stages, name)) {
      if (kind === 'WORKDIR') workdir = path.posix.resolve(workdir, rest);
      const here = path.join(root, workdir);
      await mkdir(here, { recursive: true });
      if (kind === 'COPY') await this.#copy(rest, root, workdir);
      if (kind === 'RUN' && rest.startsWith('npm ci'))
        await symlink(path.join(packageRoot, 'node_modules'), path.join(here, 'node_modules'));
      if (kind === 'RUN' && rest === 'npm run build') await execa('npm', ['run', 'build'], { cwd: here });
    }
    return root;
  }

  async #copy(rest: string, root: string, workdir: string): Promise<void> {
    const { from, sources, target } = parseCopy(rest);
    const place = path.join(root, path.posix.resolve(workdir, target));
    for (const source of sources) {
      // Node itself comes from its image, whose files are not here.
      if (from !== null && source === '/usr/local/bin/node') continue;
      const origin = from === null ? path.join(packageRoot, source) : path.join(await this.root(from), source);
      if (!existsSync(origin)) throw new Error(`COPY ${rest}: there is no ${source}`);
      if (from === null && !this.#isInContext(source)) throw new Error(`COPY ${rest}: .dockerignore keeps ${source} out`);
      const isInto = target.endsWith('/') || !statSync(origin).isDirectory();
      await copyTree(origin, isInto ? path.join(place, path.basename(source)) : place, from === null ? this.#isInContext : () => true);
    }
  }
}

/** Copies with links kept as they are: the packages are one. */
async function copyTree(origin: string, target: string, isWanted: (name: string) => boolean): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  await cp(origin, target, {
    recursive: true,
    verbatimSymlinks: true,
    force: true,
    filter: (file) => !file.startsWith(packageRoot) || file.includes('/node_modules') || isWanted(path.relative(packageRoot, file)),
  });
}

/** Every file below a folder, links not followed. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
}
