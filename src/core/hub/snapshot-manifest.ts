import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../atomic-file.ts';
import { readJsonFile } from '../read-json-file.ts';
import { RepositoryFile } from './repository-listing.ts';

/** The manifest's name, beside the repository's own files. */
export const manifestName = '.osler-snapshot.json';

/**
 * The full listing of a commit, and which of its files were fetched and verified here.
 *
 * A commit's listing never changes; so with it a later call needs the network only for files that are missing.
 */
export const SnapshotManifest = z.object({
  version: z.literal(1),
  type: z.enum(['model', 'dataset']),
  repo: z.string(),
  commit: z.string(),
  files: z.array(RepositoryFile.extend({ verifiedSha256: z.string().nullable() })),
});
export type SnapshotManifest = z.infer<typeof SnapshotManifest>;

/** A file of the listing; `verifiedSha256` is null until it was fetched. */
export type SnapshotFile = SnapshotManifest['files'][number];

/** Reads the manifest of a snapshot folder; undefined where it is missing, damaged or of another repository. */
export async function readManifest(
  directory: string,
  of: { type: string; repo: string; commit: string },
): Promise<SnapshotManifest | undefined> {
  const data = await readJsonFile(path.join(directory, manifestName), SnapshotManifest);
  return data?.type === of.type && data.repo === of.repo && data.commit === of.commit ? data : undefined;
}

/** Writes the manifest whole or not at all. */
export async function writeManifest(directory: string, manifest: SnapshotManifest): Promise<void> {
  await writeJsonAtomically(path.join(directory, manifestName), manifest);
}
