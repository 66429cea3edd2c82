import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { prebuiltCpu } from '../../../../src/engine/llama/backend-choice.ts';
import { probeBackend } from '../../../../src/engine/llama/probe.ts';

const request = { choice: prebuiltCpu, modelFile: '/nowhere/probe.gguf', threads: 1, tokens: 1 };

function child(name: string): string {
  return path.join(import.meta.dirname, 'children', `${name}.ts`);
}

describe('probeBackend', () => {
  it('reports an abort with its signal and the first error, and lives on', async () => {
    expect(await probeBackend(request, { childFile: child('abort') })).toEqual({
      ok: false,
      reason: 'its process was ended by SIGABRT (CUDA error: the provided PTX was compiled with an unsupported toolchain.)',
      seconds: expect.any(Number) as number,
    });
  });

  it('ends a probe that hangs', async () => {
    const result = await probeBackend(request, { childFile: child('hang'), timeoutMs: 1500 });
    expect(result).toMatchObject({ ok: false, reason: 'no answer within 1.5 s' });
    expect(result.seconds).toBeGreaterThanOrEqual(1.5);
  });

  it('reports an exit with its code and the last line', async () => {
    const result = await probeBackend(request, { childFile: child('exit') });
    expect(result).toMatchObject({ ok: false, reason: 'its process ended with code 7 (no such device)' });
  });

  it('passes on the reason that the probe gives', async () => {
    expect(await probeBackend(request, { childFile: child('fault') })).toMatchObject({ ok: false, reason: 'its binary is not there' });
  });

  it('counts a backend as good that decodes and crashes when it is taken down', async () => {
    const result = await probeBackend(request, { childFile: child('crash-at-exit') });
    expect(result).toMatchObject({ ok: true, device: 'CUDA0', tokensPerSecond: 12.5 });
  });

  it('stops when it is told to', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = probeBackend(request, { childFile: child('hang'), signal: controller.signal });
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});
