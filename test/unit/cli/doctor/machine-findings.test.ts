import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cpuQuota } from '../../../../src/cli/doctor/cpu-quota.ts';
import { coresFinding, diskFinding, memoryFinding, nodeFinding } from '../../../../src/cli/doctor/machine-findings.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

describe('cpuQuota', () => {
  async function rootWith(files: Readonly<Record<string, string>>): Promise<string> {
    const root = temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.join(root, path.dirname(name)), { recursive: true });
      await writeFile(path.join(root, name), text);
    }
    return root;
  }

  it.each([
    ['none without cgroups', {}, null],
    ['none where the limit is max', { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' }, null],
    ['that of a container', { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }, 1.5],
    [
      'the least of a group and those above it',
      {
        'proc/self/cgroup': '0::/pod/box\n',
        'sys/fs/cgroup/pod/cpu.max': '200000 100000\n',
        'sys/fs/cgroup/pod/box/cpu.max': '400000 100000\n',
      },
      2,
    ],
    ['that of cgroup 1', { 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n', 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' }, 0.5],
    ['none of cgroup 1', { 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' }, null],
  ])('is %s', async (_title, files, expected) => {
    expect(await cpuQuota(await rootWith(files))).toBe(expected);
  });
});

describe('coresFinding', () => {
  const cores = { model: 'Some CPU', available: 4, host: 64, quota: null, threads: 4 };

  it('is content with as many threads as cores', () => {
    expect(coresFinding(cores)).toEqual({
      title: 'Processor',
      level: 'ok',
      text: 'Some CPU: 4 of 64 cores for this process, no quota; the engine takes 4 threads',
      mend: null,
    });
  });

  it.each([
    ['the cores', { threads: 5 }, 'export OSLER_THREADS=4'],
    ['the quota', { quota: 1.5 }, 'export OSLER_THREADS=2'],
    ['a quota below one core', { quota: 0.5 }, 'export OSLER_THREADS=1'],
  ])('warns of more threads than %s', (_title, change, mend) => {
    expect(coresFinding({ ...cores, ...change })).toMatchObject({ level: 'warning', mend });
  });
});

it('warns of little memory', () => {
  expect(memoryFinding({ availableBytes: 8e9, totalBytes: 16e9 })).toMatchObject({ level: 'ok', text: '8.0 GB of 16.0 GB free' });
  expect(memoryFinding({ availableBytes: 1e9, totalBytes: 16e9 })).toMatchObject({ level: 'warning' });
});

it('fails an old Node', () => {
  expect(nodeFinding('24.1.0')).toMatchObject({ level: 'ok', mend: null });
  expect(nodeFinding('22.20.0')).toMatchObject({ level: 'failure' });
});

describe('diskFinding', () => {
  it('looks at the disk where a home would be made', async () => {
    const home = path.join(temporaryFolder(), 'not', 'yet');
    expect((await diskFinding(home)).text).toContain(`${home}: `);
  });

  it.skipIf(process.getuid?.() === 0)('fails a home that cannot be written (root may write anywhere)', async () => {
    const folder = temporaryFolder();
    await chmod(folder, 0o555);
    expect(await diskFinding(folder)).toMatchObject({ level: 'failure', text: `${folder} cannot be written` });
  });
});
