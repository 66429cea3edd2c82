import { chmod, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cmakeOptionsFor, defaultJobs } from '../../../../src/engine/llama/build-options.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Puts a program that stands for nvidia-smi on PATH, alone. */
async function driverSays(script: string): Promise<void> {
  const folder = temporaryFolder();
  await writeFile(path.join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
  await chmod(path.join(folder, 'nvidia-smi'), 0o755);
  vi.stubEnv('PATH', folder);
}

describe.runIf(process.platform === 'linux')('cmakeOptionsFor', () => {
  it('builds with OpenMP, whose waiting threads sleep', async () => {
    expect(await cmakeOptionsFor('off')).toEqual({ GGML_OPENMP: 'ON' });
    expect(await cmakeOptionsFor('vulkan')).toEqual({ GGML_OPENMP: 'ON' });
  });

  it('compiles for the GPUs that are here, each once', async () => {
    await driverSays(String.raw`printf '9.0\n8.6\n9.0\n'`);
    expect(await cmakeOptionsFor('cuda')).toEqual({ GGML_OPENMP: 'ON', CMAKE_CUDA_ARCHITECTURES: '86;90' });
  });

  it('takes the architectures that are named', async () => {
    await driverSays(String.raw`printf '9.0\n'`);
    expect(await cmakeOptionsFor('cuda', { cudaArchitectures: '80;120a' })).toMatchObject({ CMAKE_CUDA_ARCHITECTURES: '80;120a' });
  });

  it('leaves out what only this processor can where it is for others', async () => {
    expect(await cmakeOptionsFor('off', { isPortable: true })).toEqual({ GGML_OPENMP: 'ON', GGML_NATIVE: 'OFF' });
  });

  it.each([
    ['fails', 'echo 9.0; exit 9'],
    ['does not know', 'echo "[N/A]"'],
  ])('leaves it to CMake where the driver %s', async (_title, script) => {
    await driverSays(script);
    expect(await cmakeOptionsFor('cuda')).toMatchObject({ CMAKE_CUDA_ARCHITECTURES: 'native' });
  });

  it('leaves it to CMake where there is no driver', async () => {
    vi.stubEnv('PATH', temporaryFolder());
    expect(await cmakeOptionsFor('cuda')).toMatchObject({ CMAKE_CUDA_ARCHITECTURES: 'native' });
  });
});

it('runs no more compilers than there are cores, and at least one', () => {
  for (const gpu of ['off', 'cuda'] as const) {
    expect(defaultJobs(gpu)).toBeGreaterThanOrEqual(1);
    expect(defaultJobs(gpu)).toBeLessThanOrEqual(os.availableParallelism());
  }
});
