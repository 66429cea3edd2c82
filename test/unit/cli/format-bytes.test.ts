import { expect, it } from 'vitest';
import { formatBytes } from '../../../src/cli/format-bytes.ts';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1_540_000, '1.5 MB'],
  [16_060_000_000, '16.1 GB'],
  [5e15, '5000.0 TB'],
])('writes %i bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
