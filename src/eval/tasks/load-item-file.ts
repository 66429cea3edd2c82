import path from 'node:path';
import { checkItems } from './check-items.ts';
import type { LoadedTask } from './load-part.ts';
import { readRows } from './read-rows.ts';
import type { AcceptedFault } from './task-manifest.ts';

/**
 * A user's file of questions: multiple choice is answered, open questions are scored by likelihood. A file may hold both, and
 * then makes two tasks. Throws what `readRows` throws.
 */
export async function loadItemFile(file: string, accepts: readonly AcceptedFault[]): Promise<LoadedTask[]> {
  const label = path.basename(file);
  const { rows } = await readRows({ files: [path.resolve(file)], names: [label], forms: [{ columns: null }], hub: null });
  const name = path.basename(file, path.extname(file));
  const { items, faults, accepted } = checkItems(rows, { task: name, columns: null, accepts });
  const open = items.filter((item) => item.options === null);
  const choice = items.filter((item) => item.options !== null);
  const isMixed = choice.length > 0 && open.length > 0;
  const common = { label, origin: { source: label, revision: 'not stated', licence: 'not stated', hub: null, files: [label] } };
  // What is wrong is told once, with the first task of the file.
  const answered = {
    ...common,
    task: name,
    items: choice,
    faults,
    accepted,
    rows: rows.length - open.length,
    measures: ['generation' as const],
  };
  const scored = { ...common, task: isMixed ? `${name}-open` : name, items: open, measures: ['likelihood' as const] };
  if (open.length === 0) return [answered];
  if (choice.length === 0) return [{ ...scored, faults, accepted, rows: rows.length }];
  return [answered, { ...scored, faults: [], accepted: [], rows: open.length }];
}
