import { describe, expect, it } from 'vitest';
import { AnswerTracker } from '../../../src/engine/answer-tracker.ts';
import { hasShared, readSharedRows } from '../../support/shared-folder.ts';

interface ThinkCase {
  name: string;
  kind: 'split' | 'stop' | 'budget';
  preopened: boolean;
  thinking_enabled?: boolean;
  tags?: [string, string];
  chunks: string[];
  stop?: string[];
  stop_scope?: 'content' | 'all';
  finish_reason?: string;
  reasoning: string;
  content: string;
}

const file = 'cases/think_cases.jsonl';
const cases = readSharedRows<ThinkCase>(file);
const isEvent = (chunk: string): boolean => chunk === 'FORCED_CLOSE' || chunk.startsWith('FORCED_MESSAGE: ');

/** Cuts only the text anew; events of the server stay where they are. */
function recut(chunks: string[], cut: (text: string) => string[]): string[] {
  const result: string[] = [];
  let text = '';
  for (const chunk of chunks) {
    if (!isEvent(chunk)) {
      text += chunk;
      continue;
    }
    result.push(...cut(text), chunk);
    text = '';
  }
  return [...result, ...cut(text)];
}

const cuts: Record<string, (chunks: string[]) => string[]> = {
  'as given': (chunks) => chunks,
  'in one chunk': (chunks) => recut(chunks, (text) => [text]),
  'in pairs': (chunks) =>
    recut(chunks, (text) => Array.from({ length: Math.ceil([...text].length / 2) }, (_, i) => [...text].slice(2 * i, 2 * i + 2).join(''))),
  'one code point at a time': (chunks) => recut(chunks, (text) => [...text]),
};

function run(item: ThinkCase, chunks: string[]): { reasoning: string; content: string; isStopped: boolean } {
  const tracker = new AnswerTracker({
    isPreopened: item.preopened,
    isThinkingEnabled: item.thinking_enabled ?? true,
    ...(item.tags && { tags: { open: item.tags[0], close: item.tags[1] } }),
    stop: item.stop ?? [],
    stopScope: item.stop_scope ?? 'content',
  });
  let reasoning = '';
  let content = '';
  let message = '';
  for (const chunk of chunks) {
    if (chunk.startsWith('FORCED_MESSAGE: ')) {
      message = chunk.slice('FORCED_MESSAGE: '.length);
      continue;
    }
    const piece = chunk === 'FORCED_CLOSE' ? tracker.forceClose('budget', '</think>', 1, message) : tracker.push(chunk, 1);
    reasoning += piece.thought;
    content += piece.answer;
  }
  const rest = tracker.end();
  return { reasoning: reasoning + rest.thought, content: content + rest.answer, isStopped: tracker.isStopped };
}

describe.skipIf(!hasShared(file))(`every case of ../shared/${file} (skipped where the folder is missing)`, () => {
  it('has all 57 cases', () => expect(cases).toHaveLength(57));
  for (const [cutName, cut] of Object.entries(cuts)) {
    it.each(cases.map((item) => [item.name, item] as const))(`${cutName}: %s`, (_name, item) => {
      const result = run(item, cut(item.chunks));
      expect(result.reasoning).toBe(item.reasoning);
      expect(result.content).toBe(item.content);
      if (item.kind === 'stop') expect(result.isStopped).toBe(true);
    });
  }
});
