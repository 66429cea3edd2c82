import path from 'node:path';
import { z } from 'zod';
import { digestOfJson } from '../digest.ts';

export const manifestName = 'manifest.json';

/** Posix, below the backup's folder, and never out of it. */
const FilePath = z.string().refine((name) => {
  const parts = name.split('/');
  return !path.isAbsolute(name) && !name.includes('\\') && parts.every((part) => part !== '' && part !== '.' && part !== '..');
}, 'a path out of the backup');

const Contents = z.strictObject({
  schemaVersion: z.literal(1),
  createdAt: z.iso.datetime(),
  oslerVersion: z.string(),
  storeVersion: z.int().min(0),
  home: z.string().describe('where it was taken from; registered paths below it move with a restore'),
  hasModels: z.boolean().describe('weights are in it'),
  files: z.array(z.strictObject({ path: FilePath, bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});

/** manifest.json: every file of a backup, and a digest over the manifest itself. */
export const BackupManifest = Contents.extend({ digest: z.string() });
export type BackupManifest = z.infer<typeof BackupManifest>;

/** The manifest with the digest that `isWhole` looks for. */
export function sealManifest(contents: z.infer<typeof Contents>): BackupManifest {
  return { ...contents, digest: digestOfJson(contents) };
}

/** Whether nothing of the manifest was changed since it was sealed. */
export function isWhole(manifest: BackupManifest): boolean {
  const { digest, ...contents } = manifest;
  return digest === digestOfJson(contents);
}
