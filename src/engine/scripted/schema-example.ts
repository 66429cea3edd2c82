import { isRecord } from '../../core/is-record.ts';

const maxDepth = 16;

/** A small value that fits a JSON Schema as `supportJsonSchema` gives it. */
export function exampleOfSchema(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (!isRecord(schema) || depth > maxDepth) return null;
  const inner = (part: unknown): unknown => exampleOfSchema(part, root, depth + 1);
  if (typeof schema['$ref'] === 'string') {
    const defs = isRecord(root) ? root['$defs'] : undefined;
    return inner(isRecord(defs) ? defs[schema['$ref'].slice('#/$defs/'.length)] : undefined);
  }
  if (Array.isArray(schema['oneOf'])) {
    const [first] = schema['oneOf'];
    // Deep inside, the alternative that ends.
    return inner(depth < 4 ? first : (schema['oneOf'].find((part) => !JSON.stringify(part).includes('"$ref"')) ?? first));
  }
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  switch (schema['type']) {
    case 'object': {
      const properties = isRecord(schema['properties']) ? schema['properties'] : {};
      return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, inner(part)]));
    }
    case 'array': {
      const first = Array.isArray(schema['prefixItems']) ? schema['prefixItems'].map(inner) : [];
      const count = Math.max(0, Number(schema['minItems'] ?? 0) - first.length);
      return [...first, ...Array.from({ length: count }, () => inner(schema['items']))];
    }
    case 'string':
      return exampleText(schema);
    case 'integer':
    case 'number':
      return 1;
    case 'boolean':
      return true;
    default:
      return null;
  }
}

function exampleText(schema: Readonly<Record<string, unknown>>): string {
  const times: Record<string, string> = { date: '2026-11-24', time: '12:00:00Z', 'date-time': '2026-11-24T12:00:00Z' };
  const { format } = schema;
  if (typeof format === 'string') return times[format] ?? '';
  const text = 'text'.padEnd(Number(schema['minLength'] ?? 0), 't');
  return text.slice(0, Number(schema['maxLength'] ?? text.length));
}
