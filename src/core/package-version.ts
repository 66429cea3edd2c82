import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from './package-root.ts';

/** This release's version, from package.json. */
export function packageVersion(): string {
  return z.looseObject({ version: z.string() }).parse(JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8'))).version;
}
