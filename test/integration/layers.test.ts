import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/core/package-root.ts';

let tree = '';
beforeEach(async () => {
  tree = await mkdtemp(path.join(os.tmpdir(), 'osler-layers-'));
  await copyFile(path.join(packageRoot, '.oxlintrc.json'), path.join(tree, '.oxlintrc.json'));
});
afterEach(async () => await rm(tree, { recursive: true, force: true }));

/** Lints a tree of the given files with the project's rules; gives the output, and whether it passed. */
async function lint(files: Readonly<Record<string, string>>): Promise<{ isClean: boolean; output: string }> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.join(tree, path.dirname(file)), { recursive: true });
    await writeFile(path.join(tree, file), text);
  }
  const result = await execa(path.join(packageRoot, 'node_modules/.bin/oxlint'), ['src'], { cwd: tree, reject: false, all: true });
  return { isClean: result.exitCode === 0, output: result.all };
}

/** A file that imports one thing, and the thing itself. */
function planted(file: string, specifier: string): Record<string, string> {
  return {
    [file]: `import { thing } from '${specifier}';\n\nexport const other = thing;\n`,
    ...(specifier.startsWith('.') && { [path.join(path.dirname(file), specifier)]: 'export const thing = 1;\n' }),
  };
}

describe('the layers, as rules of the linter', () => {
  it.each([
    ['src/core/x.ts', '../engine/y.ts'],
    ['src/core/x.ts', '../server/y.ts'],
    ['src/core/hub/x.ts', '../../train/y.ts'],
    ['src/core/schema/x.ts', '../../eval/schema/y.ts'],
    ['src/core/x.ts', 'node-llama-cpp'],
    ['src/core/x.ts', 'execa'],
    ['src/engine/x.ts', '../eval/y.ts'],
    ['src/engine/x.ts', '../train/y.ts'],
    ['src/engine/x.ts', '../server/y.ts'],
    ['src/engine/x.ts', 'node-llama-cpp'],
    ['src/engine/llama/llama-engine.ts', 'node-llama-cpp'],
    ['src/engine/llama/x.ts', '../../server/y.ts'],
    ['src/engine/scripted/x.ts', 'node-llama-cpp'],
    ['src/eval/x.ts', '../train/y.ts'],
    ['src/eval/x.ts', '../server/y.ts'],
    ['src/eval/x.ts', '../engine/llama/y.ts'],
    ['src/eval/report/x.ts', '../../cli/y.ts'],
    ['src/eval/x.ts', 'node-llama-cpp'],
    ['src/train/x.ts', '../engine/y.ts'],
    ['src/train/x.ts', '../eval/y.ts'],
    ['src/train/x.ts', '../server/y.ts'],
    ['src/server/x.ts', '../cli/y.ts'],
    ['src/server/x.ts', 'node-llama-cpp'],
    ['src/server/routes/x.ts', 'execa'],
  ])('%s may not import %s', async (file, specifier) => {
    const { isClean, output } = await lint(planted(file, specifier));
    expect(isClean, output).toBe(false);
    expect(output).toContain('no-restricted-imports');
    expect(output).toContain(file);
  });

  it.each([
    ['src/engine/x.ts', '../core/y.ts'],
    ['src/engine/llama/driver.ts', 'node-llama-cpp'],
    ['src/eval/x.ts', '../engine/y.ts'],
    ['src/train/x.ts', '../core/y.ts'],
    ['src/train/x.ts', 'execa'],
    ['src/server/x.ts', '../train/y.ts'],
    ['src/server/metrics.ts', 'prom-client'],
    ['src/cli/x.ts', '../server/y.ts'],
  ])('%s may import %s', async (file, specifier) => {
    const { isClean, output } = await lint(planted(file, specifier));
    expect(output).not.toContain('no-restricted-imports');
    expect(isClean, output).toBe(true);
  });

  it('no two files may import each other, nor may three in a ring', async () => {
    const { isClean, output } = await lint({
      'src/core/a.ts': "import { b } from './b.ts';\n\nexport const a = (): unknown => b;\n",
      'src/core/b.ts': "import { c } from './c.ts';\n\nexport const b = (): unknown => c;\n",
      'src/core/c.ts': "import { a } from './a.ts';\n\nexport const c = (): unknown => a;\n",
    });
    expect(isClean, output).toBe(false);
    expect(output).toContain('no-cycle');
  });

  it('any is an error, and so is a non-null assertion', async () => {
    const { isClean, output } = await lint({
      'src/core/x.ts': 'export function first(values: any[]): unknown {\n  return values.at(0)!;\n}\n',
    });
    expect(isClean, output).toBe(false);
    expect(output).toContain('no-explicit-any');
    expect(output).toContain('no-non-null-assertion');
  });
});
