import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSafeRepositoryPath } from '../../../../src/core/hub/repository-path.ts';

describe('isSafeRepositoryPath', () => {
  it.each(['a', 'a/b.gguf', 'a b/ü', '..a/b..', '.gitattributes', '...'])('takes "%s"', (candidate) => {
    expect(isSafeRepositoryPath(candidate)).toBe(true);
  });

  it.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../a', './a', 'a\\b', 'C:x', 'a\0b', 'a\nb', 'x'.repeat(1025)])(
    'refuses %j',
    (candidate) => {
      expect(isSafeRepositoryPath(candidate)).toBe(false);
    },
  );

  it('takes nothing that leaves the folder, on POSIX or Windows', () => {
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom('..', '.', '/', '\\', 'a', 'C:', '\0'), { maxLength: 10 }).map((tokens) => tokens.join('')),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        if (!isSafeRepositoryPath(candidate)) return;
        expect(path.posix.resolve('/cache/x', candidate).startsWith('/cache/x/')).toBe(true);
        expect(path.win32.resolve('C:\\cache\\x', candidate).startsWith('C:\\cache\\x\\')).toBe(true);
      }),
    );
  });
});
