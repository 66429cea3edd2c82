/** One message as Ollama's templates see it. */
export interface OllamaMessage {
  readonly Role: string;
  readonly Content: string;
  readonly Thinking?: string;
}

/** What Ollama hands a template that names `.Messages`. */
export interface OllamaValues {
  readonly System: string;
  readonly Messages: readonly OllamaMessage[];
  readonly Think: boolean;
  readonly IsThinkSet: boolean;
}

/** The values that Ollama makes of a chat; `think` undefined: the client said nothing. */
export function ollamaValues(
  messages: readonly { role: string; content: string; reasoning_content?: string }[],
  think?: boolean,
): OllamaValues {
  const system = messages.filter((message) => message.role === 'system').map((message) => message.content);
  return {
    System: system.join('\n\n'),
    Messages: messages.map(({ role, content, reasoning_content: thought }) => ({
      Role: role,
      Content: content,
      Thinking: thought ?? '',
    })),
    Think: think ?? false,
    IsThinkSet: think !== undefined,
  };
}

/** Commands of a Modelfile, read as Ollama's parser reads them: word by word, a value ends at white space outside its quotes. */
export function parseModelfile(text: string): { readonly name: string; readonly value: string }[] {
  const commands: { name: string; value: string }[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    rest = rest.trimStart();
    if (rest.startsWith('#')) {
      rest = rest.slice(rest.indexOf('\n'));
      continue;
    }
    const [, name = '', value = ''] = /^([A-Za-z]+)[ \t]+([^]*)$/.exec(rest) ?? [];
    const end = endOfValue(value);
    // Anything that Go's strconv.IsPrint refuses, but white space between words and lines, is dropped.
    const raw = value.slice(0, end).replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} \t\r\n]/gu, '');
    commands.push({ name: name.toUpperCase(), value: unquote(raw.trim()) ?? '' });
    rest = value.slice(end);
  }
  return commands;
}

/** PARAMETER takes its value up to the end of the line here; all other values end at white space once their quotes are closed. */
function endOfValue(value: string): number {
  for (let place = 0; place <= value.length; place += 1) {
    const isLineEnd = place === value.length || value[place] === '\n';
    if (isLineEnd && unquote(value.slice(0, place).trim()) !== null) return place;
  }
  return value.length;
}

function unquote(text: string): string | null {
  if (text.startsWith('"""')) return text.length >= 6 && text.endsWith('"""') ? text.slice(3, -3) : null;
  if (text.startsWith('"')) return text.length >= 2 && text.endsWith('"') ? text.slice(1, -1) : null;
  return text;
}
