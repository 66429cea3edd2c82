import { once } from 'node:events';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cpuSeconds, listTree, mappedFiles, residentBytes } from '../../../benchmarks/serve/process-tree.ts';

// A process that starts another, says its id, and waits.
const parent = `
  const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  process.stdout.write(child.pid + '\\n');
  process.on('SIGTERM', () => { child.kill('SIGKILL'); process.exit(0); });
  setInterval(() => {}, 1000);
`;

describe.runIf(process.platform === 'linux')('a process tree', () => {
  it('takes in what the process started, with memory, processor time and mapped files of all', async () => {
    const started = execa(process.execPath, ['-e', parent], { reject: false });
    onTestFinished(async () => {
      started.kill('SIGTERM');
      await started;
    });
    const [line]: unknown[] = await once(started.stdout, 'data');
    const pid = started.pid ?? 0;
    const child = Number(line);
    expect(await listTree(pid)).toEqual([pid, child]);
    const resident = await residentBytes(pid);
    expect(resident).toHaveLength(2);
    expect(Math.min(...resident)).toBeGreaterThan(10 << 20);
    expect(await cpuSeconds(pid)).toBeGreaterThan(0);
    expect(await mappedFiles(pid)).toContain(process.execPath);
  });

  it('of a process that is gone is empty and takes nothing', async () => {
    const gone = await execa(process.execPath, ['-e', 'process.stdout.write(String(process.pid))']);
    const pid = Number(gone.stdout);
    expect(await listTree(pid)).toEqual([]);
    expect(await residentBytes(pid)).toEqual([]);
    expect(await cpuSeconds(pid)).toBe(0);
  });
});
