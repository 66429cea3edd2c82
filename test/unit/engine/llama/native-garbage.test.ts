import { describe, expect, it } from 'vitest';
import { NativeGarbage } from '../../../../src/engine/llama/native-garbage.ts';

describe('NativeGarbage', () => {
  /** A process that grows by 10 a step and keeps `kept` of it at a collection. */
  function run(steps: number, kept: number): { collections: number; most: number } {
    let bytes = 100;
    let base = 100;
    let collections = 0;
    let most = 0;
    const garbage = new NativeGarbage({
      readBytes: () => bytes,
      collect: () => {
        collections += 1;
        base += (bytes - base) * kept;
        bytes = base;
      },
      stepBytes: 100,
    });
    for (let step = 0; step < steps; step += 1) {
      bytes += 10;
      garbage.check();
      most = Math.max(most, bytes);
    }
    return { collections, most };
  }

  it('keeps a process that leaves nothing behind within one step of growth', () => {
    const { collections, most } = run(1000, 0);
    expect(most).toBeLessThanOrEqual(100 + 100 + 20);
    expect(collections).toBeGreaterThan(50);
  });

  it('does not collect again and again where the memory is really in use', () => {
    expect(run(1000, 1).collections).toBeLessThan(100);
    expect(run(5, 0).collections).toBe(0);
  });

  it('does nothing without a collector', () => {
    const garbage = new NativeGarbage({ readBytes: () => 1e12, collect: undefined, stepBytes: 1 });
    expect(() => garbage.check()).not.toThrow();
  });
});
