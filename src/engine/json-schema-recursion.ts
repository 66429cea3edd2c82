import { isRecord } from '../core/is-record.ts';
import type { JsonSchema } from './json-schema-keywords.ts';

type Definitions = ReadonlyMap<string, JsonSchema>;

/** What is wrong with references that come back to themselves, in a converted schema; undefined: nothing. */
export function findEndlessReference(schema: JsonSchema, defs: Definitions): { at: string; why: string } | undefined {
  if (!canEnd(schema, endingDefs(defs))) return { at: '#', why: 'a value of it would never end, since all named properties are written' };
  const circle = [...defs.keys()].find((name) => leadsTo(name, name, defs, new Set()));
  return circle === undefined ? undefined : { at: `#/$defs/${circle}`, why: 'it leads to itself without anything being written between' };
}

/** Whether references lead from one definition to another with no object or list between: a grammar would turn on the spot. */
function leadsTo(from: string, to: string, defs: Definitions, seen: Set<string>): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const next = bareReferences(defs.get(from));
  return next.some((name) => name === to || leadsTo(name, to, defs, seen));
}

function bareReferences(schema: unknown): string[] {
  if (!isRecord(schema)) return [];
  if (typeof schema['$ref'] === 'string') return [schema['$ref'].slice('#/$defs/'.length)];
  return Array.isArray(schema['oneOf']) ? schema['oneOf'].flatMap(bareReferences) : [];
}

/** The definitions of which some value ends: others, such as a list that always holds itself, would be written for ever. */
function endingDefs(defs: Definitions): ReadonlySet<string> {
  const ending = new Set<string>();
  for (let size = -1; size !== ending.size;) {
    size = ending.size;
    for (const [name, schema] of defs) if (canEnd(schema, ending)) ending.add(name);
  }
  return ending;
}

function canEnd(schema: unknown, ending: ReadonlySet<string>): boolean {
  if (!isRecord(schema)) return true;
  const each = (value: unknown): boolean =>
    Object.values(isRecord(value) || Array.isArray(value) ? value : []).every((part) => canEnd(part, ending));
  if (typeof schema['$ref'] === 'string') return ending.has(schema['$ref'].slice('#/$defs/'.length));
  if (Array.isArray(schema['oneOf'])) return schema['oneOf'].some((part) => canEnd(part, ending));
  const prefix = Array.isArray(schema['prefixItems']) ? schema['prefixItems'].length : 0;
  const wantsItems = Number(schema['minItems'] ?? 0) > prefix;
  const wantsOthers = Number(schema['minProperties'] ?? 0) > Object.keys(isRecord(schema['properties']) ? schema['properties'] : {}).length;
  return (
    each(schema['properties']) &&
    each(schema['prefixItems']) &&
    (!wantsItems || canEnd(schema['items'], ending)) &&
    (!wantsOthers || canEnd(schema['additionalProperties'], ending))
  );
}
