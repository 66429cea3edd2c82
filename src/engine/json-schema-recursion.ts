import { isRecord } from '../core/is-record.ts';
import type { JsonSchema } from './json-schema-keywords.ts';

type Definitions = ReadonlyMap<string, JsonSchema>;

/** What is wrong with references that come back to themselves, in a converted schema; undefined: nothing. Takes time by its size only. */
export function findEndlessReference(schema: JsonSchema, defs: Definitions): { at: string; why: string } | undefined {
  if (!canEnd(schema, defs)) return { at: '#', why: 'a value of it would never end, since all named properties are written' };
  const circle = findCircle(defs);
  return circle === undefined ? undefined : { at: `#/$defs/${circle}`, why: 'it leads to itself without anything being written between' };
}

/** A definition that references lead back to with no object or list between: a grammar would turn on the spot. */
function findCircle(defs: Definitions): string | undefined {
  const seen = new Set<string>();
  const onWay = new Set<string>();
  for (const start of defs.keys()) {
    // In place of a function that calls itself: a chain may have as many links as there are definitions.
    const way = [{ name: '', next: [start].values() }];
    for (let step = way.at(-1); step !== undefined; step = way.at(-1)) {
      const name = step.next.next().value;
      if (name === undefined) {
        onWay.delete(step.name);
        way.pop();
      } else if (onWay.has(name)) {
        return name;
      } else if (!seen.has(name)) {
        seen.add(name);
        onWay.add(name);
        way.push({ name, next: bareReferences(defs.get(name)).values() });
      }
    }
  }
  return undefined;
}

function bareReferences(schema: unknown): string[] {
  if (!isRecord(schema)) return [];
  if (typeof schema['$ref'] === 'string') return [targetOf(schema['$ref'])];
  return Array.isArray(schema['oneOf']) ? schema['oneOf'].flatMap(bareReferences) : [];
}

function targetOf(reference: string): string {
  return reference.slice('#/$defs/'.length);
}

/** A part of a schema that some value fits once so many of those below it are known to have one. */
interface Part {
  missing: number;
  readonly above: Part[];
}

/** Whether some value of a schema ends. Others, such as a list that always holds itself, would be written for ever. */
function canEnd(schema: JsonSchema, defs: Definitions): boolean {
  const sure: Part[] = [];
  const partOf = (missing: number, below: readonly Part[]): Part => {
    const part = { missing, above: [] };
    for (const each of below) each.above.push(part);
    if (missing === 0) sure.push(part);
    return part;
  };
  const partOfDef = new Map([...defs.keys()].map((name) => [name, partOf(1, [])]));
  const read = (value: unknown): Part => {
    if (!isRecord(value)) return partOf(0, []);
    if (typeof value['$ref'] === 'string') return partOfDef.get(targetOf(value['$ref'])) ?? partOf(1, []);
    if (Array.isArray(value['oneOf'])) return partOf(1, value['oneOf'].map(read));
    const below = writtenIn(value).map(read);
    return partOf(below.length, below);
  };
  const whole = read(schema);
  for (const [name, part] of partOfDef) read(defs.get(name)).above.push(part);
  for (let part = sure.pop(); part !== undefined; part = sure.pop()) {
    for (const above of part.above) {
      above.missing -= 1;
      if (above.missing === 0) sure.push(above);
    }
  }
  return whole.missing <= 0;
}

/** The schemas inside one of which every value of it holds a value. */
function writtenIn(schema: JsonSchema): unknown[] {
  const { properties, prefixItems } = schema;
  const named = isRecord(properties) ? Object.values(properties) : [];
  const first: unknown[] = Array.isArray(prefixItems) ? prefixItems : [];
  const wantsItems = Number(schema['minItems'] ?? 0) > first.length;
  const wantsOthers = Number(schema['minProperties'] ?? 0) > named.length;
  return [...named, ...first, ...(wantsItems ? [schema['items']] : []), ...(wantsOthers ? [schema['additionalProperties']] : [])];
}
