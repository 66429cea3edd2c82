import { describe, expect, it } from 'vitest';
import { cleanCommand } from '../../../src/cli/clean.ts';

/** Reads words as the command does, without doing its work. */
function flagsOf(...words: string[]): unknown {
  const errors: string[] = [];
  const command = cleanCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => errors.push(text) })
    .action(() => undefined);
  try {
    return command.parse(words, { from: 'user' }).opts();
  } catch (error) {
    return errors.join('') || String(error);
  }
}

describe('osler clean', () => {
  it('takes by default what can be made again and was not used for 30 days', () => {
    expect(flagsOf()).toEqual({ olderThan: 30 * 24 * 3600 * 1000, what: ['checkpoints', 'caches'] });
  });

  it('reads ages in hours and days, and kinds without repeats', () => {
    expect(flagsOf('--older-than', '12h', '--what', 'runs,samples,runs')).toEqual({
      olderThan: 12 * 3600 * 1000,
      what: ['runs', 'samples'],
    });
    expect(flagsOf('--older-than', '90d', '--dry-run')).toMatchObject({ olderThan: 90 * 24 * 3600 * 1000, dryRun: true });
  });

  it.each(['30', '0d', '-1d', '1.5d', 'd', '30w', '999999d'])('refuses the age "%s"', (age) => {
    expect(flagsOf('--older-than', age)).toContain('an age such as 12h or 30d is wanted');
  });

  it('names the kinds there are where one is unknown', () => {
    expect(flagsOf('--what', 'runs,everything')).toContain('"everything" is none of: checkpoints, samples, runs, caches');
  });
});
