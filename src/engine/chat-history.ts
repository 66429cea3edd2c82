import { defaultThoughtTags } from './thought-splitter.ts';

/** A call that an assistant made in a past turn, as OpenAI writes it. */
export interface PastToolCall {
  readonly id?: string | undefined;
  readonly function: { readonly name: string; /** JSON, as text. */ readonly arguments: string };
}

/** A message as clients send it; `reasoning` is the name that vLLM and Ollama use for `reasoning_content`. */
export interface IncomingMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** null: none was sent, as beside tool calls. */
  readonly content: string | null;
  readonly reasoning_content?: string | null | undefined;
  readonly reasoning?: string | null | undefined;
  readonly tool_calls?: readonly PastToolCall[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
  readonly name?: string | null | undefined;
}

/** A message as the template gets it. */
export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  /** null only beside `tool_calls`: some templates tell calls by it. */
  readonly content: string | null;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
  readonly name?: string;
}

export interface TemplateToolCall {
  readonly id: string;
  readonly type: 'function';
  /** An object, or its JSON where the template wants text. */
  readonly function: { readonly name: string; readonly arguments: unknown };
}

/**
 * Prepares past turns for the next prompt: an assistant's thought is dropped, wherever it stands,
 * unless `shouldPreserveReasoning`; then it goes to the template as `reasoning_content`.
 */
export function prepareHistory(messages: readonly IncomingMessage[], options: { shouldPreserveReasoning: boolean }): TemplateMessage[] {
  return messages.map((message) => {
    if (message.role === 'developer') return { role: 'system', content: message.content ?? '' };
    if (message.role === 'tool') {
      return {
        role: 'tool',
        content: message.content ?? '',
        ...(typeof message.tool_call_id === 'string' && { tool_call_id: message.tool_call_id }),
        ...(typeof message.name === 'string' && { name: message.name }),
      };
    }
    if (message.role !== 'assistant') return { role: message.role, content: message.content ?? '' };
    const { thought, answer } = splitPastTurn(message.content ?? '');
    const reasoning = message.reasoning_content ?? message.reasoning ?? thought;
    const calls = (message.tool_calls ?? []).map((call): TemplateToolCall => {
      const { name, arguments: text } = call.function;
      return { id: call.id ?? '', type: 'function', function: { name, arguments: parseArguments(text) } };
    });
    return {
      role: 'assistant',
      content: calls.length > 0 && answer === '' ? null : answer,
      ...(options.shouldPreserveReasoning && reasoning !== '' && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    };
  });
}

/** What is no JSON goes on as text. */
function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
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
