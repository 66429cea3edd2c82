import { isUtf8 } from 'node:buffer';

const newline = 10;

/** Numbers of the lines, from 1, whose bytes are no UTF-8. */
export function linesThatAreNotUtf8(bytes: Uint8Array): number[] {
  if (isUtf8(bytes)) return [];
  const found: number[] = [];
  let number = 1;
  for (let start = 0; start <= bytes.length; number += 1) {
    const next = bytes.indexOf(newline, start);
    const end = next < 0 ? bytes.length : next;
    if (!isUtf8(bytes.subarray(start, end))) found.push(number);
    start = end + 1;
  }
  return found;
}
