import { whoAmI } from '@huggingface/hub';
import { z } from 'zod';
import { isOslerError, messageOf } from '../errors.ts';
import { type HubAccess, hubFailure } from './hub-session.ts';
import { createWriteFetch, quoteServer, standInToken } from './hub-write.ts';

const WhoAmI = z.looseObject({
  name: z.string().min(1),
  orgs: z.array(z.looseObject({ name: z.string() })).optional(),
  auth: z.looseObject({ accessToken: z.looseObject({ role: z.string() }).optional() }).optional(),
});

/** Whom the token belongs to. */
export interface HubAccount {
  readonly name: string;
  readonly organizations: readonly string[];
}

/**
 * Asks the Hub for the token's account, and refuses a token that can only read. What a fine-grained one may do shows when it is used.
 *
 * @throws OSLER_ERR_HUB_PUSH, OSLER_ERR_INTERRUPTED
 */
export async function findAccount(access: HubAccess): Promise<HubAccount> {
  const tokens = `${access.endpoint}/settings/tokens`;
  if (access.token === null)
    throw hubFailure(access, `it needs a token. Make one with the right to write at ${tokens}, and set HF_TOKEN to it.`);
  const answer: unknown = await whoAmI({ accessToken: standInToken, hubUrl: access.endpoint, fetch: createWriteFetch(access) }).catch(
    (error: unknown) => {
      throw isOslerError(error) ? error : notTheHub(access, error);
    },
  );
  const parsed = WhoAmI.safeParse(answer);
  if (!parsed.success) throw notTheHub(access, 'it names no account');
  const { name, orgs = [], auth } = parsed.data;
  if (auth?.accessToken?.role === 'read')
    throw hubFailure(access, `the token in HF_TOKEN may only read. Make one with the right to write at ${tokens}.`);
  return { name, organizations: orgs.map((organization) => organization.name) };
}

/** The error for an address that speaks otherwise than the Hub. */
export function notTheHub(access: HubAccess, error: unknown): Error {
  return hubFailure(
    access,
    `"${access.endpoint}" does not answer like the Hub (${quoteServer(access, messageOf(error))}). Check HF_ENDPOINT.`,
  );
}
