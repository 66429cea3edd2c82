import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { unlessGone } from './unless-gone.ts';

/** Folders of a home that are never in a backup: what can be fetched or made again, and other backups. */
const leftOutFolders = new Set(['cache', 'engine', 'backups']);
/** Folders that hold weights and little else. */
const weightFolders = [/^models$/, /^runs\/[^/]+\/(?:adapter|merged)$/];
const weightFile = /\.(?:gguf|safetensors|bin|pt|pth)$/;
/** Checkpoints: as large as the optimiser's state, and of use only to the machine that trains. */
const checkpointFolder = /^runs\/[^/]+\/outputs(?:-before-\d+)?$/;
const temporaryFile = /(?:\.tmp|\.part)$/;

/** A file to back up; `path` is relative to the home, with `/`. */
export interface SelectedFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * The files of a home that a backup holds beside the store: those of its folders, without caches, checkpoints, other
 * backups, hidden and temporary files, and without weights unless asked for. Loose files of the home itself are left out,
 * since one may hold a token, and so are links. What is deleted meanwhile is left out as well.
 */
export async function selectFiles(home: string, hasModels: boolean): Promise<SelectedFile[]> {
  const selected: SelectedFile[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of (await unlessGone(readdir(path.join(home, folder), { withFileTypes: true }))) ?? []) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && isFolderSelected(name, hasModels)) await walk(name);
      if (entry.isFile() && folder !== '' && isFileSelected(name, hasModels)) {
        const found = await unlessGone(stat(path.join(home, name)));
        if (found !== undefined) selected.push({ path: name, bytes: found.size });
      }
    }
  };
  await walk('');
  return selected.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function isFolderSelected(name: string, hasModels: boolean): boolean {
  if (isHidden(name) || leftOutFolders.has(name) || checkpointFolder.test(name)) return false;
  return hasModels || !weightFolders.some((pattern) => pattern.test(name));
}

function isFileSelected(name: string, hasModels: boolean): boolean {
  return !isHidden(name) && !temporaryFile.test(name) && (hasModels || !weightFile.test(name));
}

function isHidden(name: string): boolean {
  return path.posix.basename(name).startsWith('.');
}
