import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCommitId, isRevision, parseHubId } from '../../../../src/core/hub/hub-id.ts';

describe('parseHubId', () => {
  it('reads a repository', () => {
    expect(parseHubId('Qwen/Qwen2.5-0.5B')).toEqual({
      owner: 'Qwen',
      name: 'Qwen2.5-0.5B',
      repo: 'Qwen/Qwen2.5-0.5B',
      revision: null,
      path: null,
    });
  });

  it.each([
    ['a/b@main', 'main', null],
    ['a/b@refs/pr/12', 'refs/pr/12', null],
    ['a/b@v1.0+cu', 'v1.0+cu', null],
    ['a/b:model.gguf', null, 'model.gguf'],
    ['a/b:sub folder/model@q4.gguf', null, 'sub folder/model@q4.gguf'],
    ['a/b@v1:sub/model.gguf', 'v1', 'sub/model.gguf'],
  ])('reads revision and file of "%s"', (text, revision, path) => {
    expect(parseHubId(text)).toMatchObject({ repo: 'a/b', revision, path });
  });

  it.each([
    '',
    'a',
    'a/',
    '/b',
    'a/b/c',
    './b',
    '../b',
    'a/..',
    'a/.b',
    'a/b.',
    'a/-b',
    'a/b-',
    'a/b--c',
    'a/b..c',
    'a/b.git',
    'a b/c',
    'é/b',
    'a/b\n',
    `a/${'x'.repeat(97)}`,
    'https://huggingface.co/a/b',
    'C:/models/b',
    'a/b@',
    'a/b@../main',
    'a/b@x..y',
    'a/b@/main',
    'a/b@main/',
    'a/b@-x',
    'a/b@x y',
    'a/b@x@y',
    'a/b:',
    'a/b:/etc/passwd',
    'a/b:../x',
    'a/b:x/../../y',
    'a/b:x//y',
    'a/b:x\\..\\y',
    'a/b:./x',
    'a/b:x\0',
    'a/b:C:/x',
  ])('takes %j for no Hub id', (text) => {
    expect(parseHubId(text)).toBeUndefined();
  });

  it('gives back what it was made of', () => {
    const name = fc.stringMatching(/^[a-z0-9](?:[a-z0-9]|[_.-][a-z0-9]){0,20}$/).filter((text) => !text.endsWith('.git'));
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
    const optional = fc.option(path);
    fc.assert(
      fc.property(name, name, optional, optional, (owner, repoName, revision, file) => {
        const text = `${owner}/${repoName}${revision === null ? '' : `@${revision}`}${file === null ? '' : `:${file}`}`;
        expect(parseHubId(text)).toEqual({ owner, name: repoName, repo: `${owner}/${repoName}`, revision, path: file });
      }),
    );
  });

  it('never lets a segment climb, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '/', 'a', '@', ':', '\\', '-', '\0'), { maxLength: 12 }), (tokens) => {
        const id = parseHubId(tokens.join(''));
        const segments = `${id?.repo}/${id?.revision}/${id?.path}`.split(/[/\\]/);
        expect(segments.filter((segment) => segment === '..' || segment === '.' || segment === '')).toEqual([]);
      }),
    );
  });
});

describe('isCommitId', () => {
  it('holds only for 40 lower-case hexadecimal digits', () => {
    expect(isCommitId('0123456789abcdef0123456789abcdef01234567')).toBe(true);
    expect(['main', '0123456', '0123456789ABCDEF0123456789ABCDEF01234567', `${'a'.repeat(40)}\n`].filter(isCommitId)).toEqual([]);
  });
});

describe('isRevision', () => {
  it('refuses what is longer than 255 characters', () => {
    expect(isRevision('x'.repeat(255))).toBe(true);
    expect(isRevision('x'.repeat(256))).toBe(false);
  });
});
