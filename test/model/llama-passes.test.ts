import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/core/package-root.ts';
import { realModelFile } from '../support/real-model.ts';

it('takes one pass over the weights a step (a release of llama.cpp that splits it costs a multiple)', async () => {
  const file = await realModelFile();
  const { stdout } = await execa(process.execPath, [path.join(packageRoot, 'test/support/passes-child.ts'), file, '6'], {
    env: { LLAMA_BATCH_DEBUG: '1' },
  });
  const { steps, passes } = JSON.parse(stdout.split('\n').at(-1) ?? '') as { steps: number[]; passes: number[] };
  expect(steps.length).toBeGreaterThan(10);
  expect(new Set(steps).size).toBeGreaterThan(3);
  // The first step reads the prompts as well: it has a pass of more than one token a sequence.
  expect(passes).toEqual(steps.slice(1));
});
