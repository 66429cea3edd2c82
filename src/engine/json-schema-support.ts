import { isRecord } from '../core/is-record.ts';
import {
  array,
  count,
  decodePointer,
  impliedType,
  type Inner,
  type JsonSchema,
  literal,
  number,
  only,
  partsForType,
  type SchemaRefusal,
  string,
  Unsupported,
} from './json-schema-keywords.ts';
import { findEndlessReference } from './json-schema-recursion.ts';

const maxDepth = 48;
const maxNodes = 4000;
const annotations = new Set(
  'title description default examples $schema $id $comment $defs definitions deprecated readOnly writeOnly discriminator'.split(' '),
);
const rootName = '#';

/** Stands in the output for "any value": the grammar's generator takes an empty schema for null. */
const anyValue: JsonSchema = {
  oneOf: [
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'null' },
    { type: 'object', additionalProperties: true },
    { type: 'array' },
  ],
};

/**
 * Turns a JSON Schema into one that node-llama-cpp's grammar generator enforces wholly, or names the first keyword that it would drop.
 *
 * What fits the result fits the original. All named properties are written, those that are not required too; an object with named
 * properties has no others unless `additionalProperties` asks for them. `anyOf` and `oneOf` are alternatives. References may point
 * to `#`, `#/$defs/…` and `#/definitions/…`. A result given in again comes out the same.
 */
export function supportJsonSchema(schema: unknown): { readonly schema: JsonSchema } | { readonly refusal: SchemaRefusal } {
  try {
    return { schema: new Conversion(schema).run() };
  } catch (error) {
    if (error instanceof Unsupported) return { refusal: error.refusal };
    throw error;
  }
}

class Conversion {
  readonly #root: unknown;
  readonly #defs = new Map<string, JsonSchema>();
  readonly #wanted: string[] = [];
  #nodes = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  run(): JsonSchema {
    let schema = this.#convert(this.#root, '#', 0);
    for (let name = this.#wanted.pop(); name !== undefined; name = this.#wanted.pop()) {
      if (!this.#defs.has(name)) this.#defs.set(name, this.#convert(this.#definition(name), `#/$defs/${name}`, 0));
    }
    if (this.#defs.has(rootName)) schema = { $ref: `#/$defs/${rootName}` };
    const endless = findEndlessReference(schema, this.#defs);
    if (endless !== undefined) throw new Unsupported('$ref', endless.at, endless.why);
    return this.#defs.size === 0 ? schema : { ...schema, $defs: Object.fromEntries(this.#defs) };
  }

  #convert(schema: unknown, at: string, depth: number): JsonSchema {
    this.#nodes += 1;
    if (depth > maxDepth || this.#nodes > maxNodes)
      throw new Unsupported('schema', at, `it is deeper than ${maxDepth} or larger than ${maxNodes} parts`);
    if (schema === true) return anyValue;
    if (!isRecord(schema)) throw new Unsupported('schema', at, 'it is no schema that any value fits');
    const parts = Object.fromEntries(
      Object.entries(schema).filter(([key, value]) => !annotations.has(key) && !key.startsWith('x-') && value !== undefined),
    );
    const inner = (value: unknown, ...path: (string | number)[]): JsonSchema => this.#convert(value, [at, ...path].join('/'), depth + 1);
    if (Object.keys(parts).length === 0) return anyValue;
    if (parts['nullable'] === true) return { oneOf: [inner({ ...parts, nullable: undefined }), { type: 'null' }] };
    if (parts['nullable'] === false) return inner({ ...parts, nullable: undefined });
    if ('$ref' in parts) return this.#reference(only(parts, at, '$ref'), at);
    for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
      if (!(keyword in parts)) continue;
      const choices = only(parts, at, keyword)[keyword];
      if (!Array.isArray(choices) || choices.length === 0) throw new Unsupported(keyword, at, 'it wants a list of schemas');
      const converted = choices.map((choice, index) => inner(choice, keyword, index));
      if (converted.length === 1 && converted[0] !== undefined) return converted[0];
      if (keyword === 'allOf') throw new Unsupported('allOf', at, 'only one schema in it can be enforced');
      return { oneOf: converted };
    }
    if ('const' in parts) return { const: literal(only(parts, at, 'const', 'type')['const'], 'const', at) };
    if ('enum' in parts) {
      const values = only(parts, at, 'enum', 'type')['enum'];
      if (!Array.isArray(values) || values.length === 0) throw new Unsupported('enum', at, 'it wants a list of values');
      return { enum: values.map((value) => literal(value, 'enum', at)) };
    }
    const type = parts['type'] ?? impliedType(parts);
    if (Array.isArray(type) && type.length > 0)
      return { oneOf: [...new Set<unknown>(type)].map((name) => inner(partsForType(parts, name))) };
    switch (type) {
      case 'object':
        return this.#object(parts, at, inner);
      case 'array':
        return array(parts, at, inner);
      case 'string':
        return string(parts, at);
      case 'integer':
        return number(parts, at, 'integer');
      case 'number':
        return number(parts, at, 'number');
      case 'boolean':
      case 'null':
        only(parts, at, 'type');
        return { type };
      default: {
        const [keyword = 'type'] = Object.keys(parts);
        throw new Unsupported(keyword, at, 'the grammar cannot hold the model to it');
      }
    }
  }

  #object(parts: JsonSchema, at: string, inner: Inner): JsonSchema {
    only(parts, at, 'type', 'properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties');
    const given = parts['properties'] ?? {};
    if (!isRecord(given)) throw new Unsupported('properties', at, 'it wants an object of schemas');
    const properties = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, inner(value, 'properties', name)]));
    const names = Object.keys(properties);
    const known = new Set(names);
    const required = parts['required'] ?? [];
    if (!Array.isArray(required) || required.some((name) => !known.has(String(name))))
      throw new Unsupported('required', at, 'it names a property that "properties" does not describe');
    const additional = parts['additionalProperties'] ?? names.length === 0;
    const least = count(parts, 'minProperties', at);
    const most = count(parts, 'maxProperties', at);
    if (most !== undefined && most < names.length) throw new Unsupported('maxProperties', at, 'all named properties are written');
    if (additional === false) {
      if (least !== undefined && least > names.length) throw new Unsupported('minProperties', at, 'there are fewer properties');
      return { type: 'object', properties, additionalProperties: false };
    }
    const others =
      additional === true || (isRecord(additional) && Object.keys(additional).length === 0)
        ? true
        : inner(additional, 'additionalProperties');
    return {
      type: 'object',
      ...(names.length > 0 && { properties }),
      additionalProperties: others,
      ...(least !== undefined && { minProperties: least }),
      ...(most !== undefined && { maxProperties: most }),
    };
  }

  #reference(parts: JsonSchema, at: string): JsonSchema {
    const target = parts['$ref'];
    const name = target === '#' ? rootName : /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(String(target))?.[1];
    if (name === undefined || this.#definition(name) === undefined)
      throw new Unsupported('$ref', at, 'it points to no definition of this schema');
    this.#wanted.push(name);
    return { $ref: `#/$defs/${name}` };
  }

  #definition(name: string): unknown {
    const root = isRecord(this.#root) ? this.#root : {};
    for (const defs of [root['$defs'], root['definitions']])
      for (const key of [name, decodePointer(name)]) if (isRecord(defs) && Object.hasOwn(defs, key)) return defs[key];
    return name === rootName ? root : undefined;
  }
}
