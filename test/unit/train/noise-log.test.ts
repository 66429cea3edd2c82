import { describe, expect, it } from 'vitest';
import { NoiseLog } from '../../../src/train/noise-log.ts';

function described(...lines: string[]): string {
  const noise = new NoiseLog();
  for (const line of lines) noise.add(line);
  return noise.describe();
}

describe('NoiseLog', () => {
  it('says nothing of nothing', () => expect(described()).toBe(''));

  it('counts the lines and quotes the first', () => {
    expect(described('Segmentation fault')).toBe('It wrote 1 line that is no event: "Segmentation fault".');
    expect(described('a', 'b', 'c')).toBe('It wrote 3 lines that are no events, the first: "a".');
  });

  it('cuts a long line', () => expect(described('x'.repeat(5000))).toBe(`It wrote 1 line that is no event: "${'x'.repeat(200)}…".`));

  it('takes out what would move a cursor, ring, or turn text around', () => {
    expect(described('\u001B[2J\u0007a\r\u0000b\u202Ec\u2028d\uFFFD')).toBe('It wrote 1 line that is no event: "[2J a b c d\uFFFD".');
  });
});
