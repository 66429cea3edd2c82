import { readdir, readFile, readlink } from 'node:fs/promises';

/**
 * Paths of the files that processes have open or mapped, as far as /proc tells: on Linux, those of the same user.
 * An engine maps its weights and closes them, so both are looked at.
 */
export async function filesInUse(): Promise<ReadonlySet<string>> {
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(processes.map(async (id) => [...(await openFiles(id)), ...(await mappedFiles(id))]));
  return new Set(found.flat());
}

async function openFiles(processId: string): Promise<string[]> {
  const folder = `/proc/${processId}/fd`;
  const names = await readdir(folder).catch(() => []);
  return await Promise.all(names.map(async (name) => await readlink(`${folder}/${name}`).catch(() => '')));
}

/** The sixth column of /proc/PID/maps, https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html */
async function mappedFiles(processId: string): Promise<string[]> {
  const text = await readFile(`/proc/${processId}/maps`, 'utf8').catch(() => '');
  return [...text.matchAll(/^(?:\S+\s+){5}(\/.*)$/gm)].map(([, path = '']) => path);
}
