import { describe, expect, it } from 'vitest';
import { interruptSignal } from '../../../src/cli/interrupt.ts';

const listeners = (): number[] => [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')];

describe('interruptSignal', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('aborts on the first %s, with the reason that the command line ends with', (name) => {
    let told = 0;
    using signal = interruptSignal(() => (told += 1));
    expect(signal.aborted).toBe(false);
    process.emit(name);
    expect([told, signal.aborted, signal.reason]).toMatchObject([1, true, { code: 'OSLER_ERR_INTERRUPTED' }]);
  });

  it('listens no longer once it is disposed of, and leaves the listeners of others alone', () => {
    const before = listeners();
    const other = interruptSignal(() => undefined);
    let told = 0;
    {
      using signal = interruptSignal(() => (told += 1));
      expect(signal.aborted).toBe(false);
    }
    process.emit('SIGINT');
    expect([told, other.aborted]).toEqual([0, true]);
    other[Symbol.dispose]();
    expect(listeners()).toEqual(before);
  });
});
