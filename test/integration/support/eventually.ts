import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something holds; gives up with its name after `limitMs`. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${what}`);
    await sleep(10);
  }
}
