import { readdir, readFile } from 'node:fs/promises';

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Words of its command line, each ended by NUL; empty for one that has ended. */
  readonly command: string;
}

/** A process with all that descend from it, itself first; torchrun puts its workers into sessions of their own. */
export async function processTree(pid: number): Promise<number[]> {
  const all = await listProcesses();
  const tree = [pid];
  for (const ancestor of tree) tree.push(...all.filter(({ parent }) => parent === ancestor).map((entry) => entry.pid));
  return tree;
}

/** The lowest number of a process whose command line has these words; undefined where there is none, or no /proc. */
export async function findProcess(words: readonly string[]): Promise<number | undefined> {
  const all = await listProcesses();
  return all
    .filter(({ command }) => words.every((word) => command.split('\0').includes(word)))
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b)[0];
}

/** Everything that runs here; nothing where there is no /proc. */
async function listProcesses(): Promise<ProcessEntry[]> {
  const names = await readdir('/proc').catch(() => []);
  const entries = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return entries.filter((entry) => entry !== undefined);
}

/** undefined for one that has gone meanwhile. */
async function readProcess(name: string): Promise<ProcessEntry | undefined> {
  try {
    const [stat, command] = await Promise.all([readFile(`/proc/${name}/stat`, 'utf8'), readFile(`/proc/${name}/cmdline`, 'utf8')]);
    // After the name, which is in parentheses and may hold anything: state, parent.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { pid: Number(name), parent, command };
  } catch {
    return undefined;
  }
}
