import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { faultPosition } from './json-fault.ts';
import type { SourceItem, SourceTable } from './source-row.ts';

const chunkBytes = 1 << 20;
const newline = 10;

/** JSON Lines, a line at a time: a file of any size. Blank lines and a byte-order mark are passed over. */
export function readJsonLines(file: string): SourceTable {
  return { columns: null, unfit: [], items: items(file) };
}

async function* items(file: string): AsyncGenerator<SourceItem> {
  let number = 0;
  for await (const line of linesOf(file)) {
    number += 1;
    const place = `line ${number}`;
    const text = line.toString('utf8').trim();
    if (text === '' || text === '\uFEFF') continue;
    if (!isUtf8(line)) yield { place, problem: 'not UTF-8 text; save the file as UTF-8' };
    else if (number === 1 && isOpenObject(text)) {
      yield { place, problem: 'a JSON object that goes on over several lines; write one object a line, or one array of all rows' };
      return;
    } else yield parsed(place, text.startsWith('\uFEFF') ? text.slice(1) : text);
  }
}

/** As a JSON file begins that was indented for people. */
function isOpenObject(text: string): boolean {
  return /^\uFEFF?\{$/.test(text);
}

function parsed(place: string, text: string): SourceItem {
  try {
    return { place, value: JSON.parse(text) as unknown };
  } catch {
    const position = faultPosition(text);
    return { place, problem: `not valid JSON: ${position === null ? 'it ends too early' : `wrong at character ${position + 1}`}` };
  }
}

/** Lines without their ends, as bytes: a chunk may end inside a character. */
async function* linesOf(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const part of createReadStream(file, { highWaterMark: chunkBytes })) {
    // A stream without encoding gives buffers.
    const chunk = part as Buffer;
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield rest.length === 0 ? chunk.subarray(start, end) : Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}
