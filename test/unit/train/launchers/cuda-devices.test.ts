import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCudaDevices } from '../../../../src/train/launchers/cuda-devices.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** An environment whose nvidia-smi lists so many GPUs. */
function machine(gpus: number, visible?: string): NodeJS.ProcessEnv {
  const folder = temporaryFolder();
  const file = path.join(folder, 'nvidia-smi');
  writeFileSync(
    file,
    `#!/bin/sh\n[ "$*" = "--query-gpu=index --format=csv,noheader" ] || exit 9\nfor index in $(seq 0 ${gpus - 1}); do echo $index; done\n`,
  );
  chmodSync(file, 0o755);
  return { PATH: `${folder}:/usr/bin:/bin`, ...(visible !== undefined && { CUDA_VISIBLE_DEVICES: visible }) };
}

describe('listCudaDevices', () => {
  it('lists all of a machine', async () => expect(await listCudaDevices(machine(3))).toEqual(['0', '1', '2']));

  it('is empty on a machine without nvidia-smi, or without a GPU', async () => {
    expect(await listCudaDevices({ PATH: temporaryFolder() })).toEqual([]);
    expect(await listCudaDevices(machine(0))).toEqual([]);
  });

  it.each([
    ['2,0', ['2', '0']],
    [' 1 , 1 ', ['1']],
    ['', []],
    ['-1', []],
    ['0,-1,2', ['0']],
    ['0,7', ['0']],
    ['GPU-8932f937,MIG-1b2', ['GPU-8932f937', 'MIG-1b2']],
  ])('takes of them what CUDA_VISIBLE_DEVICES=%j leaves', async (visible, expected) => {
    expect(await listCudaDevices(machine(4, visible))).toEqual(expected);
  });
});
