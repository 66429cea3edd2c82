import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { readJsonFile } from '../../../src/core/read-json-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const Schema = z.strictObject({ count: z.int() });

it('reads what fits the schema', async () => {
  const file = path.join(temporaryFolder(), 'x.json');
  writeFileSync(file, '{"count": 3}');
  expect(await readJsonFile(file, Schema)).toEqual({ count: 3 });
});

it.each(['', '{"count": 3', '{"count": "3"}', '{"count": 3, "more": 1}', 'null'])('gives nothing for %j', async (text) => {
  const file = path.join(temporaryFolder(), 'x.json');
  writeFileSync(file, text);
  expect(await readJsonFile(file, Schema)).toBeUndefined();
});

it('gives nothing where there is no file', async () => {
  expect(await readJsonFile(path.join(temporaryFolder(), 'none.json'), Schema)).toBeUndefined();
});
