import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Processors that this process's control groups let it use, such as 1.5; null: no limit, or no cgroups.
 * `root` is where /proc and /sys are, for tests. A limit holds for all groups below it, so the least counts.
 */
export async function cpuQuota(root = '/'): Promise<number | null> {
  const groups = await read(path.join(root, 'proc/self/cgroup'));
  const limits = [...(await unifiedQuotas(root, /^0::(.*)$/m.exec(groups)?.[1] ?? '/')), ...(await legacyQuotas(root))];
  return limits.length === 0 ? null : Math.min(...limits);
}

/** cgroup 2: `cpu.max` holds "quota period" in µs, or "max period", in each group up to the root. */
async function unifiedQuotas(root: string, group: string): Promise<number[]> {
  const top = path.join(root, 'sys/fs/cgroup');
  const found: number[] = [];
  for (let folder = path.join(top, group); folder.startsWith(top); folder = path.dirname(folder)) {
    const [quota = '', period = ''] = (await read(path.join(folder, 'cpu.max'))).trim().split(' ');
    if (Number(quota) > 0 && Number(period) > 0) found.push(Number(quota) / Number(period));
  }
  return found;
}

/** cgroup 1, as a container sees its own: the quota is -1 where there is none. */
async function legacyQuotas(root: string): Promise<number[]> {
  const folder = path.join(root, 'sys/fs/cgroup/cpu');
  const quota = Number(await read(path.join(folder, 'cpu.cfs_quota_us')));
  const period = Number(await read(path.join(folder, 'cpu.cfs_period_us')));
  return quota > 0 && period > 0 ? [quota / period] : [];
}

async function read(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
