import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { digestOfJson, sha256OfFile } from '../../core/digest.ts';

/** A file of a folder, with its checksum; `path` is below the folder, with "/". */
export interface ContentFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A folder known by what is in it: the same content has the same name on every host. */
export interface ContentFolder {
  readonly root: string;
  readonly digest: string;
  readonly files: readonly ContentFile[];
}

/** Reads every file of a folder that `isWanted` takes; links are followed, hidden files and folders left out. */
export async function contentFolder(root: string, isWanted: (file: string) => boolean, signal?: AbortSignal): Promise<ContentFolder> {
  const files: ContentFile[] = [];
  for (const file of (await listFiles(root, '')).toSorted())
    if (isWanted(file)) {
      const full = path.join(root, file);
      files.push({ path: file, bytes: (await stat(full)).size, sha256: await sha256OfFile(full, signal) });
    }
  return { root, digest: digestOfJson(files).slice(0, 32), files };
}

/** Files of a base model that a trainer reads: all but GGUF exports beside them. */
export async function baseFolder(root: string, signal?: AbortSignal): Promise<ContentFolder> {
  return await contentFolder(root, (file) => !file.endsWith('.gguf'), signal);
}

/** The trainer's sources, without tests and caches. */
export async function sourcesFolder(python: string): Promise<ContentFolder> {
  return await contentFolder(python, (file) => file.startsWith('osler_trainer/') && !file.includes('__pycache__'));
}

async function listFiles(root: string, below: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(path.join(root, below))) {
    if (name.startsWith('.')) continue;
    const file = below === '' ? name : `${below}/${name}`;
    const entry = await stat(path.join(root, file));
    if (entry.isDirectory()) found.push(...(await listFiles(root, file)));
    else if (entry.isFile()) found.push(file);
  }
  return found;
}
