import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerTracker } from '../../../src/engine/answer-tracker.ts';

const tokensOf = (text: string): string[] => text.split('|');

function run(tracker: AnswerTracker, tokens: readonly string[]): { thought: string; answer: string } {
  const parts = [...tokens.map((token) => tracker.push(token, 1)), tracker.end()];
  return { thought: parts.map(({ thought }) => thought).join(''), answer: parts.map(({ answer }) => answer).join('') };
}

describe('AnswerTracker: tokens', () => {
  it.each([
    ['a thought that the prompt opened', true, 'a| b|</think>|c| d', 3, 5],
    ['a closing tag in pieces', true, 'a|</|think|>|c', 4, 5],
    ['a token that closes the thought and begins the answer', true, 'a|b</think>c|d', 2, 3],
    ['a thought that the model opened', false, '<think>|a|</think>|c', 3, 4],
    ['an opening tag in pieces', false, '\n|<|think|>|a|</think>|c|d', 6, 8],
    ['a whole thought in one token', false, '<think>a</think>c|d', 1, 2],
    ['a thought that never closes', true, 'a|b|c', 3, 3],
    ['no thought', false, 'a|b', 0, 2],
    ['an answer about tags', false, 'a|<think>|b|</think>', 0, 4],
  ])('counts %s up to and including the closing tag', (_title, isPreopened, text, reasoning, all) => {
    const tracker = new AnswerTracker({ isPreopened });
    run(tracker, tokensOf(text));
    expect(tracker.reasoningTokens).toBe(reasoning);
    expect(tracker.completionTokens).toBe(all);
  });

  it('counts forced tokens as thought and the swallowed repeat as answer', () => {
    const tracker = new AnswerTracker({ isPreopened: true });
    tracker.push('a', 1);
    tracker.forceClose('budget', '</think>', 1);
    expect([tracker.reasoningTokens, tracker.completionTokens, tracker.closed]).toEqual([2, 2, 'budget']);
    tracker.push('</think>', 1);
    tracker.push('b', 1);
    expect([tracker.reasoningTokens, tracker.completionTokens]).toEqual([2, 4]);
  });

  it('counts no thought where the prompt closed it', () => {
    const tracker = new AnswerTracker({ isPreopened: false, isThinkingEnabled: false });
    expect(run(tracker, ['<think>', 'a'])).toEqual({ thought: '', answer: '<think>a' });
    expect(tracker.reasoningTokens).toBe(0);
  });

  it('keeps the raw text whole, forced text included', () => {
    const tracker = new AnswerTracker({ isPreopened: true });
    tracker.push(' a ', 1);
    tracker.forceClose('client', '</think>\n', 2);
    tracker.push('\nb', 1);
    tracker.end();
    expect(tracker.rawText).toBe(' a </think>\n\nb');
  });
});

describe('AnswerTracker: stop strings', () => {
  const text = 'I think STOP here|</think>|so| STOP| more';

  it('are looked for in the answer only by default', () => {
    const tracker = new AnswerTracker({ isPreopened: true, stop: ['STOP'] });
    expect(run(tracker, tokensOf(text))).toEqual({ thought: 'I think STOP here', answer: 'so ' });
    expect(tracker.isStopped).toBe(true);
  });

  it('are looked for in the thought too with the scope "all"', () => {
    const tracker = new AnswerTracker({ isPreopened: true, stop: ['STOP'], stopScope: 'all' });
    expect(run(tracker, tokensOf(text))).toEqual({ thought: 'I think', answer: '' });
    expect(tracker.isStopped).toBe(true);
  });

  it('are not met where one begins in the thought and would end in the answer', () => {
    const tracker = new AnswerTracker({ isPreopened: true, stop: ['AB'] });
    expect(run(tracker, ['xA', '</think>', 'By'])).toEqual({ thought: 'xA', answer: 'By' });
    expect(tracker.isStopped).toBe(false);
  });

  it('give back what they held when the text ends', () => {
    for (const stopScope of ['content', 'all'] as const) {
      const tracker = new AnswerTracker({ isPreopened: true, stop: ['STOP'], stopScope });
      expect(run(tracker, ['a</think>', 'b ST'])).toEqual({ thought: 'a', answer: 'b ST' });
    }
  });

  it('leave held text in the thought that a forced close ends', () => {
    const tracker = new AnswerTracker({ isPreopened: true, stop: ['STOP'], stopScope: 'all' });
    const parts = [tracker.push('so ST', 1), tracker.forceClose('budget', '</think>', 1), tracker.push('B', 1), tracker.end()];
    expect(parts.map(({ thought }) => thought).join('')).toBe('so ST');
    expect(parts.map(({ answer }) => answer).join('')).toBe('B');
  });

  it('give the same for any cut of the text, in both scopes', () => {
    const Pieces = fc.array(fc.constantFrom('a', ' ', '</think>', '</th', 'ink>', 'ST', 'OP', 'STOP', '\n', 'S'), { maxLength: 12 });
    fc.assert(
      fc.property(Pieces, fc.constantFrom('content' as const, 'all' as const), fc.boolean(), (pieces, stopScope, isPreopened) => {
        const options = { isPreopened, stop: ['STOP', 'a S'], stopScope };
        const [whole, inPieces] = [new AnswerTracker(options), new AnswerTracker(options)];
        expect(run(inPieces, [...pieces.join('')])).toEqual(run(whole, [pieces.join('')]));
        expect(inPieces.isStopped).toBe(whole.isStopped);
        expect(inPieces.closed).toBe(whole.closed);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('takeRaw', () => {
  it('gives the raw text in pieces that add up, tags and forced text included', () => {
    const tracker = new AnswerTracker({ isPreopened: true });
    const pieces: string[] = [];
    tracker.push('I think', 2);
    pieces.push(tracker.takeRaw());
    tracker.forceClose('budget', '\n</think>\n\n', 3);
    pieces.push(tracker.takeRaw());
    tracker.push('Scurvy.', 2);
    tracker.end();
    pieces.push(tracker.takeRaw());
    expect(pieces).toEqual(['I think', '\n</think>\n\n', 'Scurvy.']);
    expect(pieces.join('')).toBe(tracker.rawText);
  });

  it('never gives text that a stop string then cuts off', () => {
    const tracker = new AnswerTracker({ isPreopened: false, isThinkingEnabled: false, stop: ['END'] });
    const pieces: string[] = [];
    for (const text of ['one E', 'N', 'D two']) {
      tracker.push(text, 1);
      pieces.push(tracker.takeRaw());
    }
    tracker.end();
    pieces.push(tracker.takeRaw());
    expect(pieces.join('')).toBe('one ');
    expect(tracker.rawText).toBe('one ');
  });
});
