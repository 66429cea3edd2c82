import { readdir, readFile } from 'node:fs/promises';

/** Of Linux on every architecture that Node runs on: sysconf(_SC_CLK_TCK), proc_pid_stat(5). */
const ticksPerSecond = 100;

/** A process and all that it started, by /proc; empty where there is no /proc or no such process. */
export async function listTree(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => undefined);
  if (threads === undefined) return [];
  const lists = await Promise.all(threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`)));
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
  const below = await Promise.all(children.map((child) => listTree(child)));
  return [pid, ...below.flat()];
}

/** Resident bytes of a process and of all that it started, each by itself, the process first. */
export async function residentBytes(pid: number): Promise<number[]> {
  const sizes = (await listTree(pid)).map(async (one) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await read(`/proc/${one}/status`))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  });
  return await Promise.all(sizes);
}

/** Seconds of processor time that a process and all that it started have used. */
export async function cpuSeconds(pid: number): Promise<number> {
  const seconds = (await listTree(pid)).map(async (one) => {
    // The second field is the program's name in brackets, which can hold blanks; state is the first after it.
    const fields = (await read(`/proc/${one}/stat`)).split(') ').at(-1)?.split(' ') ?? [];
    const [user, system] = [fields[11], fields[12]];
    return (Number(user ?? 0) + Number(system ?? 0)) / ticksPerSecond;
  });
  return sum(await Promise.all(seconds));
}

/** Seconds that all cores of this machine were busy since it started, with what a hypervisor took away; 0 where there is no /proc. */
export async function busySeconds(): Promise<number> {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (await read('/proc/stat'))
    .split('\n', 1)
    .flatMap((line) => line.split(/\s+/).slice(1).map(Number));
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** Files that a process and all that it started have mapped, each once. */
export async function mappedFiles(pid: number): Promise<string[]> {
  const maps = await Promise.all((await listTree(pid)).map(async (one) => await read(`/proc/${one}/maps`)));
  const files = maps.flatMap((map) => map.split('\n').map((line) => /\s(\/.+)$/.exec(line)?.[1] ?? ''));
  return [...new Set(files)].filter((file) => file !== '');
}

async function read(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
