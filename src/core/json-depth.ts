/** Levels that JSON from outside may be nested: what goes through it later calls itself for each, and so does V8's own JSON.stringify. */
export const maxJsonDepth = 128;

const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON is nested deeper than is taken, found without reading it; of text that is no JSON the answer means nothing. */
export function isJsonTooDeep(json: string): boolean {
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    switch (json.charCodeAt(index)) {
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > maxJsonDepth) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      case quote:
        index = endOfString(json, index);
    }
  }
  return false;
}

/** Place of the quote that ends the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  let index = start + 1;
  for (; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === backslash) index += 1;
    else if (code === quote) break;
  }
  return index;
}
