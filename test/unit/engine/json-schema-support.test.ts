import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { supportJsonSchema } from '../../../src/engine/json-schema-support.ts';
import { exampleOfSchema } from '../../../src/engine/scripted/schema-example.ts';

function supported(schema: unknown) {
  const result = supportJsonSchema(schema);
  if ('refusal' in result) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
  return result.schema;
}

function refusal(schema: unknown) {
  const result = supportJsonSchema(schema);
  if ('schema' in result) throw new Error(`supported: ${JSON.stringify(result.schema)}`);
  return result.refusal;
}

const integer = { type: 'integer' };

describe('supportJsonSchema', () => {
  it.each([
    ['annotations', { type: 'string', title: 'T', description: 'd', default: 'x', examples: ['y'], 'x-order': 1 }, { type: 'string' }],
    ['the bounds that zod gives every integer', { ...integer, minimum: -9007199254740991, maximum: 9007199254740991 }, integer],
    ['small ranges, as their numbers', { ...integer, minimum: 1, maximum: 3 }, { enum: [1, 2, 3] }],
    ['several types', { type: ['string', 'null'], maxLength: 3 }, { oneOf: [{ type: 'string', maxLength: 3 }, { type: 'null' }] }],
    ['nullable', { type: 'boolean', nullable: true }, { oneOf: [{ type: 'boolean' }, { type: 'null' }] }],
    ['anyOf', { anyOf: [integer, { type: 'null' }] }, { oneOf: [integer, { type: 'null' }] }],
    ['allOf of one', { allOf: [{ type: 'null' }] }, { type: 'null' }],
    ['const and enum, null among them', { enum: ['a', 1, null] }, { enum: ['a', 1, null] }],
    ['formats of time', { type: 'string', format: 'date-time' }, { type: 'string', format: 'date-time' }],
    [
      'tuples of old drafts',
      { type: 'array', items: [integer], additionalItems: false },
      { type: 'array', prefixItems: [integer], maxItems: 1 },
    ],
    ['objects of no named properties as any object', { type: 'object', properties: {} }, { type: 'object', additionalProperties: true }],
    [
      'objects that must be empty',
      { type: 'object', additionalProperties: false },
      { type: 'object', properties: {}, additionalProperties: false },
    ],
    [
      'objects without a word on other properties as closed',
      { properties: { a: integer }, required: ['a'] },
      { type: 'object', properties: { a: integer }, additionalProperties: false },
    ],
    [
      'definitions of old drafts, and only those that are used',
      { $ref: '#/definitions/A', definitions: { A: integer, B: { type: 'string', pattern: 'x' } } },
      { $ref: '#/$defs/A', $defs: { A: integer } },
    ],
    [
      'a reference to the whole',
      { type: 'object', properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } } },
      {
        $ref: '#/$defs/#',
        $defs: {
          '#': { type: 'object', properties: { next: { oneOf: [{ $ref: '#/$defs/#' }, { type: 'null' }] } }, additionalProperties: false },
        },
      },
    ],
  ])('takes %s', (_title, schema, expected) => {
    expect(supported(schema)).toEqual(expected);
  });

  it.each([
    ['pattern', '#/properties/a', { type: 'object', properties: { a: { type: 'string', pattern: '^a' } } }],
    ['format', '#', { type: 'string', format: 'email' }],
    ['minimum', '#', { type: 'integer', minimum: 0 }],
    ['maximum', '#/items', { type: 'array', items: { type: 'number', maximum: 1 } }],
    ['multipleOf', '#', { type: 'number', multipleOf: 5 }],
    ['uniqueItems', '#', { type: 'array', uniqueItems: true }],
    ['contains', '#', { type: 'array', contains: integer }],
    ['patternProperties', '#', { type: 'object', patternProperties: { a: integer } }],
    ['allOf', '#', { allOf: [integer, { type: 'number' }] }],
    ['not', '#', { not: integer }],
    ['if', '#', { type: 'string', if: {} }],
    ['const', '#', { const: { a: 1 } }],
    ['enum', '#', { enum: [] }],
    ['required', '#', { type: 'object', properties: {}, required: ['a'] }],
    ['maxLength', '#', { type: 'string', maxLength: 100_000 }],
    ['maxItems', '#', { type: 'array', prefixItems: [integer, integer], maxItems: 1 }],
    ['type', '#', { type: 'file' }],
    ['type', '#', { type: [] }],
    ['type', '#', { type: ['constructor'] }],
    ['schema', '#/items', { type: 'array', items: 'x' }],
    ['$ref', '#', { $ref: '#/$defs/missing' }],
    ['$ref', '#', { $ref: 'https://example.org/schema.json' }],
    ['$ref', '#', { type: 'object', properties: { self: { $ref: '#' } } }],
    [
      '$ref',
      '#/$defs/A',
      { $ref: '#/$defs/A', $defs: { A: { anyOf: [{ $ref: '#/$defs/B' }, integer] }, B: { anyOf: [{ $ref: '#/$defs/A' }, integer] } } },
    ],
  ])('refuses what cannot be enforced: %s at %s', (keyword, at, schema) => {
    expect(refusal(schema)).toMatchObject({ keyword, at });
  });

  it('refuses a schema of endless depth rather than falling over it', () => {
    let schema: unknown = integer;
    for (let depth = 0; depth < 20_000; depth += 1) schema = { type: 'array', items: schema };
    expect(refusal(schema).keyword).toBe('schema');
  });

  it.each(['$ref', 'properties'])('takes a chain of two thousand definitions at once, each of which leads to the next by %s', (keyword) => {
    const link = (name: string) => (keyword === '$ref' ? { $ref: name } : { type: 'object', properties: { next: { $ref: name } } });
    const names = Array.from({ length: 1900 }, (_, index) => `D${index}`);
    for (const order of [names, names.toReversed()]) {
      const chain = order.map((name, index) => [name, index + 1 < order.length ? link(`#/$defs/${order[index + 1]}`) : integer]);
      const startedMs = performance.now();
      expect(supportJsonSchema({ $ref: `#/$defs/${order[0]}`, $defs: Object.fromEntries(chain) })).toHaveProperty('schema');
      expect(performance.now() - startedMs).toBeLessThan(250);
    }
  });

  it('finds the definition that a chain turns back to, and a value that ends on one way only', () => {
    const chain = {
      A: { $ref: '#/$defs/B' },
      B: { anyOf: [integer, { $ref: '#/$defs/C' }] },
      C: { anyOf: [integer, { $ref: '#/$defs/B' }] },
    };
    expect(refusal({ $ref: '#/$defs/A', $defs: chain })).toMatchObject({ keyword: '$ref', at: '#/$defs/B' });
    const tree = {
      type: 'object',
      properties: { left: { $ref: '#/$defs/T' }, right: { anyOf: [{ $ref: '#/$defs/T' }, { type: 'null' }] } },
    };
    expect(refusal({ $ref: '#/$defs/T', $defs: { T: tree } })).toMatchObject({ at: '#' });
    const leaf = { ...tree, properties: { ...tree.properties, left: { anyOf: [{ $ref: '#/$defs/T' }, integer] } } };
    expect(supportJsonSchema({ $ref: '#/$defs/T', $defs: { T: leaf } })).toHaveProperty('schema');
  });

  it('takes long lists of names and types at once', () => {
    const names = Array.from({ length: 2000 }, (_, index) => `p${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, integer]));
    const required = Array.from({ length: 200_000 }, () => names.at(-1));
    const startedMs = performance.now();
    expect(supportJsonSchema({ type: 'object', properties, required })).toHaveProperty('schema');
    const keywords = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`required${index}`, 1]));
    expect(supportJsonSchema({ ...keywords, type: Array.from({ length: 3000 }, () => 'string') })).toHaveProperty('schema');
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it('takes what zod makes of a usual form', () => {
    const Node = z.object({
      verdict: z.enum(['yes', 'no']),
      confidence: z.int().min(1).max(5),
      note: z.string().nullable(),
      items: z.array(z.object({ code: z.string(), weight: z.number() })),
      get children(): z.ZodArray<typeof Node> {
        return z.array(Node);
      },
    });
    for (const target of ['draft-7', 'draft-2020-12'] as const) {
      const schema = supported(z.toJSONSchema(Node, { target }));
      expect(Node.safeParse(exampleOfSchema(schema)).error).toBeUndefined();
    }
  });

  const leaf = fc.constantFrom<unknown>(
    { type: 'string' },
    { type: 'string', minLength: 2, maxLength: 9 },
    { type: 'string', format: 'date' },
    { type: 'integer', minimum: 2, maximum: 4 },
    { type: ['number', 'null'] },
    { enum: ['a', 2] },
    { const: null },
    {},
    true,
  );
  const schemas = fc.letrec((tie) => ({
    schema: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.integer({ min: 0, max: 2 }) }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), tie('schema'), { maxKeys: 3 }).map((properties) => ({ type: 'object', properties })),
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    ),
  })).schema;

  it('gives a schema that comes out the same when given in again, and whose values fit the original', () => {
    fc.assert(
      fc.property(schemas, (schema) => {
        const first = supported(schema);
        expect(supported(first)).toEqual(first);
        const example = exampleOfSchema(first);
        // Zod's type knows no `true` at the root.
        const original = z.fromJSONSchema((schema === true ? {} : schema) as Parameters<typeof z.fromJSONSchema>[0]);
        expect(original.safeParse(example).error).toBeUndefined();
      }),
    );
  });
});
