import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isSmallBaseFile } from '../preflight/small-base-file.ts';

/** The base of a job that another machine is asked about. */
export interface QuestionBase {
  /** Its folder there, or the Hub id that the machine fetches by itself. */
  readonly path: string;
  /** False: only these files of it are there. */
  readonly hasWeights: boolean;
  /** Files of this machine, and where they go there. */
  readonly files: readonly { readonly from: string; readonly to: string }[];
}

/**
 * What of a base has to be there for a question: gigabytes of weights need not be.
 *
 * @param basePath folder of this machine, or a Hub id
 * @param there folder for it on the other machine, POSIX
 */
export async function baseOfQuestion(basePath: string, there: string): Promise<QuestionBase> {
  if (!path.isAbsolute(basePath) || !existsSync(basePath)) return { path: basePath, hasWeights: true, files: [] };
  const names = (await readdir(basePath)).filter(isSmallBaseFile);
  const files = names.map((name) => ({ from: path.join(basePath, name), to: path.posix.join(there, name) }));
  return { path: there, hasWeights: false, files };
}
