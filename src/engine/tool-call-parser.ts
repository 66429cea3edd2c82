import { isRecord } from '../core/is-record.ts';
import { isJsonTooDeep } from '../core/json-depth.ts';
import { partialSuffixLength } from './thought-splitter.ts';

/** A function that the model wants called. */
export interface ToolCall {
  readonly name: string;
  /** A JSON object, as text. */
  readonly arguments: string;
}

/** What one step adds; the text stands before or between the calls. */
export interface ToolCallStep {
  readonly content: string;
  readonly calls: readonly ToolCall[];
}

export interface ToolCallParserOptions {
  /** Functions that the model was offered. */
  readonly names: readonly string[];
  /** The whole answer is one call, since a grammar made it so. */
  readonly isForced?: boolean;
  /** Calls beyond this number are dropped. */
  readonly maxCalls?: number;
}

interface Block {
  readonly open: string;
  readonly close: string;
  /** Calls in the text between the marks; undefined: none can be read from it. */
  readonly parse: (text: string) => ToolCall[] | undefined;
}

/** How models mark calls inside an answer: Hermes and Qwen, and DeepSeek. */
const blocks: readonly Block[] = [
  { open: '<tool_call>', close: '</tool_call>', parse: (text) => listOf(parseCall(text)) },
  { open: '<｜tool▁calls▁begin｜>', close: '<｜tool▁calls▁end｜>', parse: parseDeepSeekCalls },
];
/** Llama 3.1 may write it before a call. */
const pythonTag = '<|python_tag|>';

/**
 * Finds calls of functions in a stream of answer text.
 *
 * The result does not depend on how the text is cut: only what may become a call is held back. White space around a call is dropped;
 * what cannot be read as a call stays text, verbatim.
 */
export class ToolCallParser {
  readonly #options: ToolCallParserOptions;
  /** How an answer begins that is one call and nothing else, white space left out. */
  readonly #bareStarts: readonly string[];
  #held = '';
  #callCount = 0;
  #isAtStart = true;
  #isAfterCall = false;

  constructor(options: ToolCallParserOptions) {
    this.#options = options;
    this.#bareStarts = options.names.flatMap((name) => [
      `{"name":"${name}","parameters":`,
      `{"name":"${name}","arguments":`,
      `{"type":"function","name":"${name}","parameters":`,
      `{"type":"function","name":"${name}","arguments":`,
    ]);
  }

  /** Takes the next piece of the answer and gives what is now certain. */
  push(text: string): ToolCallStep {
    this.#held += text;
    return this.#advance(false);
  }

  /** The answer is over: gives what was held back. */
  end(): ToolCallStep {
    return this.#advance(true);
  }

  #advance(isEnd: boolean): ToolCallStep {
    const step = { content: '', calls: [] as ToolCall[] };
    if (this.#isAtStart && this.#mayBeOneCall()) {
      if (!isEnd) return step;
      const call = parseCall(withoutPythonTag(this.#held));
      if (call !== undefined) {
        this.#held = '';
        this.#add(step, [call]);
      }
    }
    while (this.#takeBlock(step, isEnd));
    this.#takeText(step, this.#certainLength(isEnd));
    return step;
  }

  /** Whether the answer so far could be one call in JSON and nothing else. */
  #mayBeOneCall(): boolean {
    if (this.#options.isForced === true) return true;
    const text = this.#held.trimStart();
    if (text !== '' && pythonTag.startsWith(text)) return true;
    const compact = withoutPythonTag(text).slice(0, 4096).replaceAll(/\s/g, '');
    return compact !== '' && this.#bareStarts.some((start) => start.startsWith(compact) || compact.startsWith(start));
  }

  /** Takes the text up to the next mark and, where its block is whole, the block. False: there is nothing more to take now. */
  #takeBlock(step: { content: string; calls: ToolCall[] }, isEnd: boolean): boolean {
    if (this.#isAfterCall) this.#held = this.#held.trimStart();
    const [first] = blocks
      .map((block) => ({ block, start: this.#held.indexOf(block.open) }))
      .filter(({ start }) => start >= 0)
      .toSorted((a, b) => a.start - b.start);
    if (first === undefined) return false;
    const { block } = first;
    this.#takeText(step, this.#held.slice(0, first.start).trimEnd().length);
    // What is held now is white space, the mark, and all after it.
    const inside = this.#held.indexOf(block.open) + block.open.length;
    const close = this.#held.indexOf(block.close, inside);
    if (close < 0 && !isEnd) return false;
    const calls = block.parse(this.#held.slice(inside, close < 0 ? undefined : close));
    if (calls === undefined) {
      this.#takeText(step, inside);
    } else {
      this.#held = close < 0 ? '' : this.#held.slice(close + block.close.length);
      this.#add(step, calls);
    }
    return true;
  }

  /** Length of the held text that is text for certain: no mark or part of one, nor the white space before it. */
  #certainLength(isEnd: boolean): number {
    if (isEnd) return this.#held.length;
    if (blocks.some((block) => this.#held.includes(block.open))) return 0;
    const partial = Math.max(...blocks.map((block) => partialSuffixLength(this.#held, block.open)));
    return this.#held.slice(0, this.#held.length - partial).trimEnd().length;
  }

  #takeText(step: { content: string }, length: number): void {
    if (length === 0) return;
    step.content += this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    this.#isAtStart = false;
    this.#isAfterCall = false;
  }

  #add(step: { calls: ToolCall[] }, calls: readonly ToolCall[]): void {
    const room = (this.#options.maxCalls ?? Infinity) - this.#callCount;
    step.calls.push(...calls.slice(0, Math.max(0, room)));
    this.#callCount += calls.length;
    this.#isAtStart = false;
    this.#isAfterCall = true;
  }
}

function withoutPythonTag(text: string): string {
  const start = text.trimStart();
  return start.startsWith(pythonTag) ? start.slice(pythonTag.length).trimStart() : start;
}

/** A call as JSON: `name`, and `arguments` or `parameters`, an object or the text of one. */
function parseCall(text: string): ToolCall | undefined {
  const value = parseJson(text);
  if (!isRecord(value) || typeof value['name'] !== 'string' || value['name'] === '') return undefined;
  return callOf(value['name'], value['arguments'] ?? value['parameters'] ?? {});
}

/** `<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME`, the arguments in a fence; newer ones: NAME, separator, arguments. */
function parseDeepSeekCalls(text: string): ToolCall[] | undefined {
  const calls = text
    .split('<｜tool▁call▁begin｜>')
    .slice(1)
    .map((part) => {
      const [head = '', rest] = (part.split('<｜tool▁call▁end｜>')[0] ?? '').split('<｜tool▁sep｜>');
      if (rest === undefined) return undefined;
      const fenced = /^\s*(\S+)\s*```(?:json)?([^]*)```\s*$/.exec(rest);
      return fenced === null ? callOf(head.trim(), rest) : callOf(fenced[1] ?? '', fenced[2] ?? '');
    });
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
}

function callOf(name: string, given: unknown): ToolCall | undefined {
  const value = typeof given === 'string' ? parseJson(given) : given;
  return name === '' || !isRecord(value) ? undefined : { name, arguments: JSON.stringify(value) };
}

/** Undefined for what is no JSON, and for what is nested so deep that it could not be written again. */
function parseJson(text: string): unknown {
  if (isJsonTooDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function listOf<T>(value: T | undefined): T[] | undefined {
  return value === undefined ? undefined : [value];
}
