import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partialSuffixLength, type SplitText, ThoughtSplitter, type ThoughtSplitterOptions } from '../../../src/engine/thought-splitter.ts';

const [open, close] = ['<think>', '</think>'];

/** Texts rich in tags, pieces of tags, white space of several kinds and characters of two code units. */
const Text = fc
  .array(
    fc.constantFrom(
      open,
      close,
      '<',
      '/',
      '>',
      '<thi',
      '</th',
      'nk>',
      'think>',
      '</THINK>',
      ' ',
      '\n',
      '\u00A0',
      'a',
      'b c',
      '😀',
      '\u2028',
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(''));
const Mode = fc.constantFrom<ThoughtSplitterOptions>(
  { isPreopened: true },
  { isPreopened: false },
  { isPreopened: true, isThinkingEnabled: true },
  { isPreopened: false, isThinkingEnabled: false },
);
/** A text with places to cut it at, by code point. */
const Cut = fc.tuple(Text, fc.array(fc.nat(80), { maxLength: 12 })).map(([text, places]) => {
  const points = [...text];
  const at = [0, ...places.filter((place) => place < points.length).toSorted((a, b) => a - b), points.length];
  return { text, pieces: at.slice(1).map((end, index) => points.slice(at[index], end).join('')) };
});

/** The rules of the page on thoughts, said over the whole text. */
function expectedOf(text: string, mode: ThoughtSplitterOptions): SplitText {
  if (mode.isThinkingEnabled === false) return { thought: '', answer: text };
  const start = text.trimStart();
  if (!mode.isPreopened && !start.startsWith(open)) return { thought: '', answer: text };
  const inside = start.startsWith(open) ? start.slice(open.length) : text;
  const end = inside.indexOf(close);
  if (end < 0) return { thought: inside.trim(), answer: '' };
  return { thought: inside.slice(0, end).trim(), answer: inside.slice(end + close.length).trimStart() };
}

function join(parts: readonly SplitText[]): SplitText {
  return { thought: parts.map(({ thought }) => thought).join(''), answer: parts.map(({ answer }) => answer).join('') };
}

describe('ThoughtSplitter', () => {
  it('gives the two channels of the rules, for any text, mode and cut', () => {
    fc.assert(
      fc.property(Cut, Mode, ({ text, pieces }, mode) => {
        const splitter = new ThoughtSplitter(mode);
        const given = [...pieces.map((piece) => splitter.push(piece)), splitter.end()];
        expect(join(given)).toEqual(expectedOf(text, mode));
      }),
      { numRuns: 1500 },
    );
  });

  it('gives the same for other tags', () => {
    const tags = { open: '<|begin_of_thought|>', close: '<|end_of_thought|>' };
    const translate = (text: string): string => text.replaceAll(open, tags.open).replaceAll(close, tags.close);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(open, close, ' ', 'a', '<|end'), { maxLength: 8 }), fc.boolean(), (parts, isPreopened) => {
        const splitter = new ThoughtSplitter({ isPreopened, tags });
        const given = [...parts.map((part) => splitter.push(translate(part))), splitter.end()];
        const expected = expectedOf(parts.join(''), { isPreopened });
        expect(join(given)).toEqual({ thought: translate(expected.thought), answer: translate(expected.answer) });
      }),
    );
  });

  it('closes a running thought at any point, and the result depends on that point alone', () => {
    fc.assert(
      fc.property(Cut, Cut, Mode, fc.constantFrom('', 'Time is up.'), (before, after, mode, message) => {
        const splitter = new ThoughtSplitter(mode);
        const given = before.pieces.map((piece) => splitter.push(piece));
        const wasInThought = splitter.isInThought;
        given.push(splitter.forceClose('budget', message), ...after.pieces.map((piece) => splitter.push(piece)), splitter.end());
        if (!wasInThought) {
          expect(join(given)).toEqual(expectedOf(before.text + after.text, mode));
          return;
        }
        const { thought } = expectedOf(before.text, mode);
        const rest = after.text.trimStart();
        expect(join(given)).toEqual({
          thought: [thought, message].filter((part) => part !== '').join(' '),
          // One closing tag that the model repeats is swallowed.
          answer: rest.startsWith(close) ? rest.slice(close.length).trimStart() : rest,
        });
        expect(splitter.closed).toBe('budget');
      }),
      { numRuns: 1500 },
    );
  });

  it('gives thought text as soon as it is certain, holding back only what may be a tag or the end’s white space', () => {
    const splitter = new ThoughtSplitter({ isPreopened: true });
    expect(splitter.push('  Hello')).toEqual({ thought: 'Hello', answer: '' });
    expect(splitter.push(' wor')).toEqual({ thought: ' wor', answer: '' });
    expect(splitter.push('ld \n</thi')).toEqual({ thought: 'ld', answer: '' });
    expect(splitter.push('ck')).toEqual({ thought: ' \n</thick', answer: '' });
    expect(splitter.push('</think>\n\nB')).toEqual({ thought: '', answer: 'B' });
    expect(splitter.push(' <think>')).toEqual({ thought: '', answer: ' <think>' });
  });

  it('says how a thought ended', () => {
    const closedAfter = (mode: ThoughtSplitterOptions, text: string): string => {
      const splitter = new ThoughtSplitter(mode);
      splitter.push(text);
      splitter.end();
      return splitter.closed;
    };
    expect(closedAfter({ isPreopened: true }, 'x</think>y')).toBe('model');
    expect(closedAfter({ isPreopened: true }, 'x')).toBe('never');
    expect(closedAfter({ isPreopened: false }, '<think>x')).toBe('never');
    expect(closedAfter({ isPreopened: false }, 'x</think>')).toBe('none');
    expect(closedAfter({ isPreopened: false, isThinkingEnabled: false }, '<think>x</think>')).toBe('none');
    const client = new ThoughtSplitter({ isPreopened: true });
    client.forceClose('client');
    client.push('</think>answer');
    expect(client.closed).toBe('client');
  });

  it('never closes twice: a second force is without effect', () => {
    const splitter = new ThoughtSplitter({ isPreopened: true });
    splitter.push('thought</think>answer');
    expect(splitter.forceClose('budget', 'Time is up.')).toEqual({ thought: '', answer: '' });
    expect(splitter.closed).toBe('model');
  });
});

describe('partialSuffixLength', () => {
  it('is the longest end of the text that begins the mark without completing it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 }),
        (text, mark) => {
          const lengths = Array.from({ length: mark.length }, (_value, length) => length).filter((length) =>
            text.endsWith(mark.slice(0, length)),
          );
          expect(partialSuffixLength(text, mark)).toBe(Math.max(...lengths));
        },
      ),
    );
  });
});
