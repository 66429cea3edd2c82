import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProcess, processTree } from '../../../src/train/process-tree.ts';

describe.skipIf(process.platform !== 'linux')('a tree of processes (skipped where there is no /proc)', () => {
  /** A shell that has started a child in a session of its own, as torchrun starts its workers. */
  async function family(): Promise<{ parent: number; child: number }> {
    const shell = spawn('sh', ['-c', 'setsid sleep 20 & echo $!; wait', 'marked word'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    const pids = { parent: shell.pid ?? 0, child: Number(line.toString()) };
    onTestFinished(() => {
      for (const pid of [pids.child, pids.parent]) process.kill(pid, 'SIGKILL');
    });
    return pids;
  }

  it('holds a process and all that descend from it, whatever their session', async () => {
    const { parent, child } = await family();
    expect(await processTree(parent)).toEqual([parent, child]);
    expect(await processTree(process.pid)).toEqual(expect.arrayContaining([process.pid, parent, child]));
    expect(await processTree(2 ** 22 + 1)).toEqual([2 ** 22 + 1]);
  });

  it('has a process found by whole words of its command line', async () => {
    const { parent } = await family();
    expect(await findProcess(['sh', 'marked word'])).toBe(parent);
    expect(await findProcess(['sh', 'marked'])).toBeUndefined();
  });
});
