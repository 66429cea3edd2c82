import path from 'node:path';
import { type Config, readConfig } from '../../src/core/config.ts';
import { packageRoot } from '../../src/core/package-root.ts';

/** OSLER_HOME of the tests: kept between runs, so that the small real model is fetched and converted once. */
export const testHome = path.join(packageRoot, '.cache/test-home');

/** Settings of the tests: the kept home, the CPU, no more threads than cores. */
export function testConfig(home = testHome): Config {
  return { ...readConfig({}), home, gpu: 'off', isCi: true };
}
