import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/core/package-root.ts';
import { findLocalBuilds } from '../../src/engine/llama/installed-addons.ts';
import { testHome } from '../support/test-home.ts';

/** Set to off, cuda or vulkan: compiles for it, which takes minutes and replaces the build that is here. */
const gpu = process.env['OSLER_TEST_ENGINE_BUILD'] ?? '';

it.skipIf(gpu === '')(
  'osler engine build compiles without network, tries the result, and does it once (set OSLER_TEST_ENGINE_BUILD)',
  async () => {
    const build = async (...words: string[]) =>
      await execa(process.execPath, [path.join(packageRoot, 'bin/osler.js'), 'engine', 'build', '--gpu', gpu, ...words], {
        env: { OSLER_HOME: testHome, CI: '1' },
        reject: false,
      });
    const first = await build('--force');
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/built here: decodes on .+ tokens\/s/);
    expect((await findLocalBuilds()).map((made) => made.gpu)).toContain(gpu);
    const again = await build();
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toContain('the same build is here already');
  },
  3_600_000,
);
