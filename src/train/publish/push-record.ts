import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../../core/atomic-file.ts';
import { diskFullOf } from '../../core/free-disk.ts';
import { readJsonFile } from '../../core/read-json-file.ts';
import type { RunFolder } from '../run-folder.ts';
import { publishedParts } from './publish-files.ts';

const aboutBytes = 1 << 20;

/** push.json of a run: its last push to the Hub. */
export const PushRecord = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  state: z.enum(['pushing', 'done', 'failed']).describe('pushing, in a file that no process writes any more, was broken off: push again'),
  repo: z.string(),
  revision: z.string(),
  visibility: z.enum(['private', 'public']),
  parts: z.array(z.enum(publishedParts)),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  commit: z.string().nullable(),
  url: z.string().nullable(),
  sentBytes: z.int().nullable().describe('of the files that the commit changed'),
  error: z.string().nullable(),
});
export type PushRecord = z.infer<typeof PushRecord>;

/** The last push of a run; undefined where there was none. */
export async function readPushRecord(folder: Pick<RunFolder, 'root'>): Promise<PushRecord | undefined> {
  return await readJsonFile(path.join(folder.root, 'push.json'), PushRecord);
}

/** Notes a push in the run's folder. Throws OSLER_ERR_DISK_FULL. */
export async function writePushRecord(folder: Pick<RunFolder, 'root'>, record: PushRecord): Promise<void> {
  try {
    await writeJsonAtomically(path.join(folder.root, 'push.json'), record);
  } catch (error) {
    throw await diskFullOf(error, folder.root, aboutBytes);
  }
}
