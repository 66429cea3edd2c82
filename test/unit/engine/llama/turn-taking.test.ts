import { setImmediate as tick } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TurnTaking } from '../../../../src/engine/llama/turn-taking.ts';

it('lets one at a time work, in the order of asking, also after one that failed', async () => {
  const turns = new TurnTaking();
  const seen: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    seen.push(`${name} begins`);
    await tick();
    seen.push(`${name} ends`);
    if (name === 'b') throw new Error('b broke');
    return name;
  };
  const results = await Promise.allSettled([turns.run(work('a')), turns.run(work('b')), turns.run(work('c'))]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
