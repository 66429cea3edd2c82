import { describe, expect, it } from 'vitest';
import { type IncomingMessage, prepareHistory } from '../../../src/engine/chat-history.ts';
import { ChatTemplate } from '../../../src/engine/chat-template.ts';
import { hasShared, readSharedRows } from '../../support/shared-folder.ts';
import { readProjectTemplate } from '../../support/project-template.ts';

interface HistoryCase {
  name: string;
  messages: IncomingMessage[];
  rendered_assistant: string[];
  options?: { preserve_reasoning?: boolean };
}

const file = 'cases/history_cases.jsonl';
const template = new ChatTemplate({ owner: 'test', source: readProjectTemplate(), bosToken: '<s>', eosToken: '</s>' });

describe.skipIf(!hasShared(file))(`every case of ../shared/${file} (skipped where the folder is missing)`, () => {
  it.each(readSharedRows<HistoryCase>(file).map((item) => [item.name, item] as const))('%s', (_name, item) => {
    const isPreserved = item.options?.preserve_reasoning ?? false;
    const messages = prepareHistory(item.messages, { shouldPreserveReasoning: isPreserved });
    const handed = messages
      .filter((message) => message.role === 'assistant')
      .map((message) =>
        message.reasoning_content === undefined ? message.content : `<think>\n${message.reasoning_content}\n</think>\n\n${message.content}`,
      );
    expect(handed).toEqual(item.rendered_assistant);
    const prompt = template.render(messages).text;
    const turns = [...prompt.matchAll(/### Response:\n(.*?)<\/s>/gs)].map((match) => match[1]);
    expect(turns).toEqual(item.rendered_assistant);
  });
});

describe('prepareHistory', () => {
  it('leaves a user who writes about tags alone', () => {
    const [message] = prepareHistory([{ role: 'user', content: 'what is <think>x</think>?' }], { shouldPreserveReasoning: false });
    expect(message?.content).toBe('what is <think>x</think>?');
  });
  it('hands calls and their results on, arguments read where they are JSON', () => {
    const calls = [{ id: 'call-1', function: { name: 'f', arguments: '{"a":1}' } }, { function: { name: 'g', arguments: 'oops' } }];
    const messages: IncomingMessage[] = [
      { role: 'assistant', content: null, tool_calls: calls },
      { role: 'tool', content: 'done', tool_call_id: 'call-1' },
    ];
    expect(prepareHistory(messages, { shouldPreserveReasoning: false })).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call-1', type: 'function', function: { name: 'f', arguments: { a: 1 } } },
          { id: '', type: 'function', function: { name: 'g', arguments: 'oops' } },
        ],
      },
      { role: 'tool', content: 'done', tool_call_id: 'call-1' },
    ]);
  });
  it('empties a past turn whose thought never closed', () => {
    const [message] = prepareHistory([{ role: 'assistant', content: '<think>still going' }], { shouldPreserveReasoning: false });
    expect(message?.content).toBe('');
  });
});
