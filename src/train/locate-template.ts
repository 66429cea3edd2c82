import { existsSync } from 'node:fs';
import path from 'node:path';
import { OSLER_ERR_FILE_NOT_FOUND } from '../core/errors.ts';
import { trainerSources } from './python-environment.ts';

/** A template's file: a path, or a name out of those that come with the trainer. Throws OSLER_ERR_FILE_NOT_FOUND. */
export function locateTemplate(name: string): string {
  const candidates = [path.resolve(name), path.join(trainerSources, 'osler_trainer/templates', `${name}.jinja`)];
  const file =
    candidates.find((candidate) => existsSync(candidate) && candidate.endsWith('.jinja')) ??
    candidates.find((candidate) => existsSync(candidate));
  if (file === undefined) throw new OSLER_ERR_FILE_NOT_FOUND(name);
  return file;
}
