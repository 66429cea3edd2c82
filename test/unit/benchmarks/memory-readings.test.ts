import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readWhile, showStretch } from '../../../benchmarks/serve/memory-readings.ts';

describe.runIf(process.platform === 'linux')('readWhile', () => {
  it('reads memory until the work is done', async () => {
    const { total, processes } = await readWhile(process.pid, pause(50));
    expect(total.min).toBeGreaterThan(10);
    expect(total.median).toBeGreaterThanOrEqual(processes[0]?.min ?? Infinity);
  });

  it('fails as the work fails', async () => {
    await expect(
      readWhile(
        process.pid,
        pause(20).then(() => Promise.reject(new Error('the server is gone'))),
      ),
    ).rejects.toThrow('gone');
  });

  it('refuses to measure a process that is not there', async () => {
    await expect(readWhile(2 ** 22 + 1, pause(1))).rejects.toThrow('/proc');
  });
});

it('showStretch gives the whole and its parts', () => {
  const spread = (median: number) => ({ median, min: median - 1, max: median + 1 });
  const text = showStretch({ fromRequest: 200, toRequest: 400, total: spread(300), processes: [spread(100), spread(200)] });
  expect(text).toBe('requests 200 to 400: 300.0 [299.0, 301.0] MiB (100.0 + 200.0)');
});
