import type { OllamaValues } from './ollama.ts';

/** Text, an action between braces, or a branch with its bodies. */
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly words: string }
  | { readonly kind: 'if' | 'range'; readonly words: string; readonly body: readonly Node[]; readonly otherwise: readonly Node[] };

type Scope = Readonly<Record<string, unknown>>;

/**
 * Renders what we write of Go's text/template, as Go does: fields, strings, `range`, `if`, `else`, `else if`, `and`, `not`, `eq`.
 * Throws at anything else.
 */
export function renderGoTemplate(source: string, values: OllamaValues): string {
  const tokens = source.split(/(\{\{.*?\}\})/s);
  const [nodes, end] = parseList(tokens, 0);
  if (end !== tokens.length) throw new Error(`unexpected ${tokens[end] ?? ''}`);
  return renderList(nodes, { ...values });
}

function parseList(tokens: readonly string[], start: number): [Node[], number] {
  const nodes: Node[] = [];
  let place = start;
  while (place < tokens.length) {
    const token = tokens[place] ?? '';
    const words = /^\{\{ (.*) \}\}$/s.exec(token)?.[1];
    if (words === undefined) {
      if (token.includes('{{')) throw new Error(`an action that does not end: ${token}`);
      nodes.push({ kind: 'text', text: token });
      place += 1;
    } else if (words === 'end' || words.startsWith('else')) return [nodes, place];
    else if (/^(?:if|range) /.test(words)) {
      const [node, after] = parseBranch(tokens, place, words);
      nodes.push(node);
      place = after;
    } else {
      nodes.push({ kind: 'action', words });
      place += 1;
    }
  }
  return [nodes, place];
}

function parseBranch(tokens: readonly string[], place: number, words: string): [Node, number] {
  const kind = words.startsWith('if') ? 'if' : 'range';
  const pipeline = words.slice(kind.length + 1);
  const [body, bodyEnd] = parseList(tokens, place + 1);
  const closing = /^\{\{ (.*) \}\}$/s.exec(tokens[bodyEnd] ?? '')?.[1] ?? '';
  if (closing === 'end') return [{ kind, words: pipeline, body, otherwise: [] }, bodyEnd + 1];
  if (closing === 'else') {
    const [otherwise, end] = parseList(tokens, bodyEnd + 1);
    return [{ kind, words: pipeline, body, otherwise }, end + 1];
  }
  // `else if` is an `if` inside the `else`, closed by the same `end`.
  const [inner, end] = parseBranch(tokens, bodyEnd, closing.replace(/^else /, ''));
  return [{ kind, words: pipeline, body, otherwise: [inner] }, end];
}

function renderList(nodes: readonly Node[], dot: Scope): string {
  return nodes
    .map((node) => {
      if (node.kind === 'text') return node.text;
      const value = evaluate(wordsOf(node.words), dot);
      if (node.kind === 'action') return String(value);
      if (node.kind === 'if') return renderList(isTrue(value) ? node.body : node.otherwise, dot);
      // Every element of a range is a record here: a message.
      return (value as readonly Scope[]).map((item) => renderList(node.body, item)).join('');
    })
    .join('');
}

function wordsOf(text: string): string[] {
  return text.match(/"(?:\\.|[^"\\])*"|[()]|[^\s()]+/gu) ?? [];
}

function evaluate(words: string[], dot: Scope): unknown {
  const [first = '', ...rest] = words;
  const operands: unknown[] = [];
  while (rest.length > 0) operands.push(operand(rest, dot));
  if (first === 'and') return operands.find((value) => !isTrue(value)) ?? operands.at(-1);
  if (first === 'not') return !isTrue(operands[0]);
  if (first === 'eq') return operands[0] === operands[1];
  if (operands.length > 0) throw new Error(`unknown function ${first}`);
  return operand([first], dot);
}

/** Takes one operand off the front. */
function operand(words: string[], dot: Scope): unknown {
  const word = words.shift() ?? '';
  if (word === '(') {
    const end = words.indexOf(')');
    const inner = words.splice(0, end + 1);
    return evaluate(inner.slice(0, -1), dot);
  }
  if (word.startsWith('"')) {
    // Go's strings are JSON's but for \U.
    const json = word.replaceAll(/\\U([0-9a-f]{8})/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
    return JSON.parse(json);
  }
  if (/^\.\w+$/.test(word)) return dot[word.slice(1)];
  throw new Error(`unknown word ${word}`);
}

function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
