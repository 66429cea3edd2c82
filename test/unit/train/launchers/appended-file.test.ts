import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendLines, sizeOf } from '../../../../src/train/launchers/appended-file.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

describe('appendLines', () => {
  it('copies a growing file line by line, whatever pieces are seen of it, and after any half-written append', async () => {
    const folder = temporaryFolder();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string(), { minLength: 1 }), fc.array(fc.nat({ max: 40 })), async (lines, pieces) => {
        number += 1;
        const file = path.join(folder, String(number));
        const whole = Buffer.from(lines.map((line) => `${line.replaceAll('\n', '')}\n`).join(''));
        let seen = 0;
        for (const piece of [...pieces, whole.length]) {
          seen = Math.min(whole.length, seen + piece);
          const size = await sizeOf(file);
          // Killed in the middle of an append.
          if (piece % 5 === 4) appendFileSync(file, whole.subarray(size, Math.min(seen, size + 2)));
          const from = await sizeOf(file);
          await appendLines(file, whole.subarray(from, seen), false);
        }
        expect(readFileSync(file)).toEqual(whole);
      }),
    );
  });

  it('leaves half a line where it is, and takes a line that is longer than one reading in pieces', async () => {
    const file = path.join(temporaryFolder(), 'events.jsonl');
    expect(await appendLines(file, Buffer.from('a\nhalf'), false)).toBe(2);
    expect(await appendLines(file, Buffer.from('half'), false)).toBe(0);
    expect(await appendLines(file, Buffer.from('half'), true)).toBe(4);
    expect(readFileSync(file, 'utf8')).toBe('a\nhalf');
  });
});
