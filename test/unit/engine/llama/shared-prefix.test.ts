import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { LlamaContextSequence } from 'node-llama-cpp';
import { describe, expect, it } from 'vitest';
import { findFollowers, planCopies, PrefixCopier } from '../../../../src/engine/llama/shared-prefix.ts';

const prompt = (shared: number, own: number): number[] => [
  ...Array.from({ length: shared }, (_, index) => index),
  ...Array.from({ length: 20 }, () => own),
];

describe('findFollowers', () => {
  it('lets the first of those that begin alike go ahead, and others that have nothing in common', () => {
    expect(findFollowers([prompt(100, 1000), prompt(0, 2000), prompt(100, 3000)], [], [0, 0, 0])).toEqual(new Set([2]));
  });

  it('waits for a prompt that is being read', () => {
    expect(findFollowers([prompt(100, 1000)], [prompt(100, 2000)], [30])).toEqual(new Set([0]));
  });

  it('does not wait for what some slot holds already, nor for little', () => {
    expect(findFollowers([prompt(100, 1000)], [prompt(100, 2000)], [100]).size).toBe(0);
    expect(findFollowers([prompt(20, 1000)], [prompt(20, 2000)], [0]).size).toBe(0);
  });
});

describe('planCopies', () => {
  const slots = [500, 450, 10].map((cachedTokens) => ({ isFree: true, cachedTokens }));

  it('copies the longest prefix that a slot holds to the slot of the request, from the slot that holds least beside it', () => {
    const choices = [
      { request: 0, slot: 2, prefixTokens: 10 },
      { request: 1, slot: 1, prefixTokens: 400 },
    ];
    const prefixes = [
      [400, 300, 10],
      [20, 400, 0],
    ];
    expect(planCopies(choices, prefixes, slots)).toEqual([{ from: 0, to: 2 }]);
    expect(planCopies(choices.slice(0, 1), [[400, 400, 10]], slots)).toEqual([{ from: 1, to: 2 }]);
  });

  it('leaves what would save little', () => {
    expect(planCopies([{ request: 0, slot: 2, prefixTokens: 10 }], [[30, 10, 10]], slots)).toEqual([]);
  });
});

describe.runIf(existsSync('/dev/shm'))('PrefixCopier', () => {
  it('keeps nothing of what it copied, its folder to this user, and nothing that a killed process left', async () => {
    const left = `/dev/shm/osler-${2 ** 22 + 1}-killed`;
    mkdirSync(left);
    const before = new Set(readdirSync('/dev/shm'));
    const copier = await PrefixCopier.create();
    expect(existsSync(left)).toBe(false);
    const folder = readdirSync('/dev/shm').find((name) => name.startsWith(`osler-${process.pid}-`) && !before.has(name)) ?? '';
    expect(statSync(`/dev/shm/${folder}`).mode & 0o777).toBe(0o700);
    const seen: string[][] = [];
    // Only what the copier uses of a sequence.
    const sequence = {
      saveStateToFile: async (file: string) => writeFile(file, 'state'),
      loadStateFromFile: async () => void seen.push(readdirSync(`/dev/shm/${folder}`)),
    } as unknown as LlamaContextSequence;
    await copier?.copy(
      [sequence, sequence, sequence],
      [
        { from: 0, to: 1 },
        { from: 0, to: 2 },
      ],
    );
    expect(seen).toEqual([['0'], ['0']]);
    expect(readdirSync(`/dev/shm/${folder}`)).toEqual([]);
    copier?.remove();
    expect(existsSync(`/dev/shm/${folder}`)).toBe(false);
  });
});
