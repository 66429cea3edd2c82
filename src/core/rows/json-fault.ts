/**
 * Where a text ends to be JSON: the number of characters before the first wrong one, or null where it only ends too early.
 *
 * V8 names the place of some faults only, and quotes the text, which may be a patient's. So the longest beginning is looked for
 * that is not wrong but short, by halving: some twenty-seven parses for the largest string.
 */
export function faultPosition(text: string): number | null {
  if (isSound(text)) return null;
  let [sound, wrong] = [0, text.length];
  while (wrong - sound > 1) {
    const middle = Math.floor((sound + wrong) / 2);
    if (isSound(text.slice(0, middle))) sound = middle;
    else wrong = middle;
  }
  return sound;
}

/** Whether a text is JSON or may become so by going on. */
function isSound(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const place = /at position (\d+) \(line \d+ column \d+\)$/.exec(message)?.[1];
    return /^Unexpected end|^Unterminated/.test(message) || (place !== undefined && Number(place) >= beginning.length);
  }
}
