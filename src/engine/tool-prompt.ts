import type { TemplateMessage } from './chat-history.ts';

/** A function that the model may call, in OpenAI's shape. */
export interface Tool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    /** JSON Schema of its arguments. */
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  };
}

/**
 * For templates that know no tools: writes the tools into the last system message, past calls into the assistant's text and results
 * into the user's, in the way that Hermes models were taught.
 */
export function writeToolsAsText(messages: readonly TemplateMessage[], tools: readonly Tool[]): TemplateMessage[] {
  const written: TemplateMessage[] = [];
  for (const message of messages) {
    const last = written.at(-1);
    if (message.role === 'tool') {
      const text = `<tool_response>\n${message.content ?? ''}\n</tool_response>`;
      // Templates want the turns to alternate: results that follow each other are one turn.
      if (last?.role === 'user' && last.content?.startsWith('<tool_response>'))
        written[written.length - 1] = { role: 'user', content: `${last.content}\n${text}` };
      else written.push({ role: 'user', content: text });
    } else if (message.tool_calls !== undefined && message.tool_calls.length > 0) {
      const { tool_calls: calls, ...rest } = message;
      const texts = calls.map(
        (call) => `<tool_call>\n${JSON.stringify({ name: call.function.name, arguments: call.function.arguments })}\n</tool_call>`,
      );
      written.push({ ...rest, content: [message.content ?? '', ...texts].filter((text) => text !== '').join('\n') });
    } else {
      written.push(message);
    }
  }
  if (tools.length === 0) return written;
  const place = written.findLastIndex((message) => message.role === 'system');
  const system = written[place];
  if (system === undefined) return [{ role: 'system', content: describeTools(tools) }, ...written];
  return written.with(place, { ...system, content: `${system.content ?? ''}\n\n${describeTools(tools)}` });
}

function describeTools(tools: readonly Tool[]): string {
  const lines = tools.map((tool) => JSON.stringify({ type: 'function', function: tool.function }));
  return [
    'You may call functions to help with the question. Their signatures, one a line as JSON:',
    '<tools>',
    ...lines,
    '</tools>',
    'To call a function, write its name and arguments as JSON between these tags, once for each call:',
    '<tool_call>',
    '{"name": "function name", "arguments": {"argument": "value"}}',
    '</tool_call>',
    'Results come back between <tool_response> and </tool_response>.',
  ].join('\n');
}
