import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';

/** Where a cache keeps llama.cpp's sources; a folder that is there is not unpacked again. */
export function llamaCppFolder(cacheDir: string): string {
  const file = path.join(path.dirname(createRequire(import.meta.url).resolve('node-llama-cpp')), '../package.json');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8')));
  return path.join(cacheDir, `llama.cpp-node-llama-cpp-${version}`);
}
