import { defaultThoughtTags } from './thought-splitter.ts';

/** A message as clients send it; `reasoning` is the name that vLLM and Ollama use for `reasoning_content`. */
export interface IncomingMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly reasoning_content?: string | null | undefined;
  readonly reasoning?: string | null | undefined;
}

/** A message as the template gets it. */
export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly reasoning_content?: string;
}

/**
 * Prepares past turns for the next prompt: an assistant's thought is dropped, wherever it stands,
 * unless `shouldPreserveReasoning`; then it goes to the template as `reasoning_content`.
 */
export function prepareHistory(messages: readonly IncomingMessage[], options: { shouldPreserveReasoning: boolean }): TemplateMessage[] {
  return messages.map((message) => {
    if (message.role === 'developer') return { role: 'system', content: message.content };
    if (message.role !== 'assistant') return { role: message.role, content: message.content };
    const { thought, answer } = splitPastTurn(message.content);
    const reasoning = message.reasoning_content ?? message.reasoning ?? thought;
    return {
      role: 'assistant',
      content: answer,
      ...(options.shouldPreserveReasoning && reasoning !== '' && { reasoning_content: reasoning }),
    };
  });
}

/** The first closing tag ends the thought, also where the opening tag was part of the prompt and is missing here. */
function splitPastTurn(content: string): { thought: string; answer: string } {
  const { open, close } = defaultThoughtTags;
  const start = content.trimStart();
  const end = content.indexOf(close);
  if (end < 0) return start.startsWith(open) ? { thought: start.slice(open.length).trim(), answer: '' } : { thought: '', answer: content };
  const before = content.slice(0, end).trimStart();
  return {
    thought: (before.startsWith(open) ? before.slice(open.length) : before).trim(),
    answer: content.slice(end + close.length).trimStart(),
  };
}
