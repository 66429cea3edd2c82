import { readFile } from 'node:fs/promises';
import type { z } from 'zod';

/** What a JSON file holds, by its schema; undefined where there is none, or it is damaged or of another form. */
export async function readJsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseJson(text, schema);
}

/** What a text of JSON says, by its schema; undefined where it is damaged or of another form. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
