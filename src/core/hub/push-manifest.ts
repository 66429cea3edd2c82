import { z } from 'zod';
import { OSLER_ERR_HUB_PUSH_REFUSED } from '../errors.ts';
import { openHubUrl } from './hub-request.ts';
import { withRetries } from './hub-retry.ts';
import { type HubSession, pageOf } from './hub-session.ts';
import type { RemoteRepository } from './remote-repository.ts';

/** The name under which a repository keeps what was pushed to it. */
export const manifestPath = 'osler.json';

/** osler.json of a repository: what a push put there, for whoever checks a copy and for the next push, which touches nothing else. */
export const PushManifest = z.looseObject({
  schemaVersion: z.literal(1),
  run: z.string().describe('whose files these are'),
  files: z.array(
    z.looseObject({
      path: z.string(),
      bytes: z.int(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      gitSha1: z.string().nullable().describe("git's name of the file; null: it is large, and the Hub names it by its sha256"),
    }),
  ),
});
export type PushManifest = z.infer<typeof PushManifest>;

/**
 * What a former push put on the branch and is still there as it was; undefined where there was no push.
 *
 * @throws OSLER_ERR_HUB_PUSH_REFUSED for a file of that name that is none of ours
 */
export async function readPushManifest(session: HubSession, remote: RemoteRepository): Promise<PushManifest | undefined> {
  if (!remote.files.some((file) => file.path === manifestPath)) return undefined;
  const url = `${pageOf(session)}/resolve/${remote.head}/${manifestPath}`;
  const text = await withRetries(session, async (watchdog) => {
    const response = await openHubUrl(session, url, new Headers(), watchdog.signal);
    return await response.text();
  });
  try {
    const manifest = PushManifest.parse(JSON.parse(text));
    const there = new Map(remote.files.map((file) => [file.path, file.checksum.hex]));
    // What was changed or removed there since is no longer ours.
    const files = manifest.files.filter((file) => [file.sha256, file.gitSha1].includes(there.get(file.path) ?? ''));
    return { ...manifest, files };
  } catch {
    throw new OSLER_ERR_HUB_PUSH_REFUSED(
      session.label,
      `it has a file "${manifestPath}" that Osler did not write. Choose another with --repo, or a branch of its own with --revision.`,
    );
  }
}
