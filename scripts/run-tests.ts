/**
 * `npm test`: does the set-up that tests need (Python environment, the small real model), then runs all of them.
 * Ends with one line of counts. Words after `--` go to vitest and leave Python's tests out: npm test -- --project unit
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { readConfig } from '../src/core/config.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { ensurePython, trainerEnvironment } from '../src/train/python-environment.ts';
import { realModelFile } from '../test/support/real-model.ts';
import { ensurePythonDevTools } from './python-dev-tools.ts';

const VitestResult = z.looseObject({ numPassedTests: z.int(), numFailedTests: z.int(), numPendingTests: z.int() });

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const words = process.argv.slice(2);
const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-tests-'));
try {
  const report = (step: string): void => console.log(`▸ ${step}`);
  const python = await ensurePython({ python: readConfig().python, onStep: report });
  const model = await realModelFile();
  const counts = [await runVitest()];
  if (words.length === 0) {
    await ensurePythonDevTools(python, report);
    counts.push(await runPytest(python, path.join(path.dirname(model), '../../models/smollm2-135m-instruct/transformers')));
  }
  const sum = (key: keyof Counts): number => counts.reduce((total, entry) => total + entry[key], 0);
  console.log(`\nosler: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  if (sum('failed') > 0 || sum('passed') === 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function runVitest(): Promise<Counts> {
  const file = path.join(folder, 'vitest.json');
  const result = await execa(
    process.execPath,
    [
      path.join(packageRoot, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...words,
    ],
    { cwd: packageRoot, stdio: 'inherit', reject: false },
  );
  const parsed = VitestResult.safeParse(JSON.parse(await readFile(file, 'utf8').catch(() => 'null')));
  if (!parsed.success) return { passed: 0, failed: 1, skipped: 0 };
  // A failing set-up fails no single test: the exit code counts too.
  const failed = result.exitCode === 0 ? parsed.data.numFailedTests : Math.max(1, parsed.data.numFailedTests);
  return { passed: parsed.data.numPassedTests, failed, skipped: parsed.data.numPendingTests };
}

async function runPytest(python: string, base: string): Promise<Counts> {
  const file = path.join(folder, 'pytest.xml');
  const result = await execa(python, ['-m', 'pytest', '-q', 'tests', `--junitxml=${file}`], {
    cwd: path.join(packageRoot, 'python'),
    env: { ...trainerEnvironment(), OSLER_TEST_BASE: base },
    stdio: 'inherit',
    reject: false,
  });
  const suite = /<testsuite [^>]*>/.exec(await readFile(file, 'utf8').catch(() => ''))?.[0] ?? '';
  const count = (name: string): number => Number(new RegExp(`${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const broken = count('failures') + count('errors');
  return {
    passed: count('tests') - broken - count('skipped'),
    failed: result.exitCode === 0 ? broken : Math.max(1, broken),
    skipped: count('skipped'),
  };
}
