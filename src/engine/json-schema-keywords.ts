/** A JSON Schema as an object; `true` and `false` stand only inside others. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A keyword that no grammar can hold a model to. */
export interface SchemaRefusal {
  readonly keyword: string;
  /** JSON pointer of the schema that has it; `#` is the whole. */
  readonly at: string;
  readonly why: string;
}

/** Repetitions that a grammar may count; llama.cpp refuses more than 2000. */
const maxCount = 2000;
/** Whole numbers between two bounds are listed, up to so many. */
const maxListedIntegers = 256;
const enforcedFormats = new Set(['date', 'time', 'date-time']);

/** Ends a conversion; `supportJsonSchema` gives the refusal. */
export class Unsupported extends Error {
  readonly refusal: SchemaRefusal;

  constructor(keyword: string, at: string, why: string) {
    super(why);
    this.refusal = { keyword, at, why };
  }
}

/** Converts a schema inside another, with the way to it. */
export type Inner = (value: unknown, ...path: (string | number)[]) => JsonSchema;

/** A list; drafts before 2020 and since. */
export function array(parts: JsonSchema, at: string, inner: Inner): JsonSchema {
  only(parts, at, 'type', 'items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems');
  if (parts['uniqueItems'] === true) throw new Unsupported('uniqueItems', at, 'the grammar does not remember former items');
  // Drafts before 2020 write the first items as a list and the rest as `additionalItems`.
  const isOldTuple = Array.isArray(parts['items']);
  const first = isOldTuple ? parts['items'] : (parts['prefixItems'] ?? []);
  const rest = isOldTuple ? parts['additionalItems'] : parts['items'];
  if (!Array.isArray(first)) throw new Unsupported('prefixItems', at, 'it wants a list of schemas');
  const prefixItems = first.map((item, index) => inner(item, 'prefixItems', index));
  const least = count(parts, 'minItems', at);
  const most = rest === false ? Math.min(prefixItems.length, count(parts, 'maxItems', at) ?? Infinity) : count(parts, 'maxItems', at);
  if (most !== undefined && most < Math.max(prefixItems.length, least ?? 0))
    throw new Unsupported('maxItems', at, 'it is less than the items that are always written');
  return {
    type: 'array',
    ...(prefixItems.length > 0 && { prefixItems }),
    ...(rest !== undefined && rest !== false && { items: inner(rest, 'items') }),
    ...(least !== undefined && { minItems: least }),
    ...(most !== undefined && { maxItems: most }),
  };
}

export function string(parts: JsonSchema, at: string): JsonSchema {
  only(parts, at, 'type', 'minLength', 'maxLength', 'format');
  const least = count(parts, 'minLength', at);
  const most = count(parts, 'maxLength', at);
  const format = parts['format'];
  if (format !== undefined) {
    if (typeof format !== 'string' || !enforcedFormats.has(format) || least !== undefined || most !== undefined)
      throw new Unsupported('format', at, `only ${[...enforcedFormats].join(', ')} can be enforced, without a length`);
    return { type: 'string', format };
  }
  if (most !== undefined && most < (least ?? 0)) throw new Unsupported('maxLength', at, 'it is less than "minLength"');
  return { type: 'string', ...(least !== undefined && { minLength: least }), ...(most !== undefined && { maxLength: most }) };
}

/** A number; a range of whole ones becomes their list. */
export function number(parts: JsonSchema, at: string, type: 'integer' | 'number'): JsonSchema {
  only(parts, at, 'type', 'minimum', 'maximum');
  const least = bound(parts, 'minimum', at);
  const most = bound(parts, 'maximum', at);
  if (least === undefined && most === undefined) return { type };
  const keyword = least === undefined ? 'maximum' : 'minimum';
  if (type === 'number' || least === undefined || most === undefined || most < least || most - least >= maxListedIntegers)
    throw new Unsupported(keyword, at, `only whole numbers between two bounds can be enforced, ${maxListedIntegers} of them at most`);
  const start = Math.ceil(least);
  return { enum: Array.from({ length: Math.floor(most) - start + 1 }, (_, index) => start + index) };
}

/** A bound of a number; those that all safe integers keep are none. */
function bound(parts: JsonSchema, keyword: string, at: string): number | undefined {
  const value = parts[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw new Unsupported(keyword, at, 'it wants a number');
  return Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;
}

/** A whole number that a grammar can count to. */
export function count(parts: JsonSchema, keyword: string, at: string): number | undefined {
  const value = parts[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > maxCount)
    throw new Unsupported(keyword, at, `it wants a whole number up to ${maxCount}`);
  return value;
}

/** A value that can be written into a grammar as it is. */
export function literal(value: unknown, keyword: string, at: string): string | number | boolean | null {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new Unsupported(keyword, at, 'only texts, numbers, true, false and null can be enforced');
}

/** Gives the schema where it has no other keywords than these. */
export function only(parts: JsonSchema, at: string, ...keywords: string[]): JsonSchema {
  const other = Object.keys(parts).find((key) => !keywords.includes(key));
  if (other !== undefined) throw new Unsupported(other, at, 'the grammar cannot hold the model to it here');
  return parts;
}

/** What `type` must be where it is left out. */
export function impliedType(parts: JsonSchema): string | undefined {
  if ('properties' in parts || 'additionalProperties' in parts) return 'object';
  return 'items' in parts || 'prefixItems' in parts ? 'array' : undefined;
}

/** Keywords that concern values of one type only. */
const keywordsOfType: ReadonlyMap<unknown, RegExp> = new Map([
  ['object', /propert|required|dependent/i],
  ['array', /items|contains/i],
  ['string', /length|pattern|format|content/i],
  ['number', /minimum|maximum|multipleOf/i],
  ['integer', /minimum|maximum|multipleOf/i],
]);

/** Of a schema with several types, what concerns one of them. */
export function partsForType(parts: JsonSchema, type: unknown): JsonSchema {
  const isOthers = (key: string): boolean =>
    [...keywordsOfType].some(([other, pattern]) => other !== type && pattern.test(key)) && keywordsOfType.get(type)?.test(key) !== true;
  return { ...Object.fromEntries(Object.entries(parts).filter(([key]) => !isOthers(key))), type };
}

/** A name as a JSON pointer writes it. */
export function decodePointer(text: string): string {
  const plain = /%[0-9a-f]{2}/i.test(text) && canDecode(text) ? decodeURIComponent(text) : text;
  return plain.replaceAll('~1', '/').replaceAll('~0', '~');
}

function canDecode(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}
