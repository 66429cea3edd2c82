import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Text of the project's own chat template. */
export function readProjectTemplate(): string {
  return readFileSync(path.join(import.meta.dirname, '../../python/osler_trainer/templates/medical-cot.jinja'), 'utf8');
}
