import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';

describe('packageRoot', () => {
  it('is the folder of this package, with what the program reads from it', () => {
    expect(path.isAbsolute(packageRoot)).toBe(true);
    expect(JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8'))).toMatchObject({ name: 'osler' });
    for (const folder of ['python', 'data', 'benchmarks', 'models']) expect(existsSync(path.join(packageRoot, folder)), folder).toBe(true);
  });
});
