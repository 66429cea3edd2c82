import { existsSync } from 'node:fs';
import type { Clock } from '../../core/clock.ts';
import type { Config } from '../../core/config.ts';
import { messageOf, OSLER_ERR_RUN_STATE, OSLER_ERR_USAGE } from '../../core/errors.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import { tryLockFolder } from '../../core/folder-lock.ts';
import type { UploadProgress } from '../../core/hub/commit-files.ts';
import { findAccount } from '../../core/hub/hub-account.ts';
import { createHubAccess, type HubTiming } from '../../core/hub/hub-session.ts';
import { pushFiles, type PushOutcome } from '../../core/hub/push-files.ts';
import type { Visibility } from '../../core/hub/remote-repository.ts';
import { packageVersion } from '../../core/package-version.ts';
import { isEnded, type Run } from '../../core/schema/run.ts';
import { readEvents } from '../event-file.ts';
import type { RunFolder } from '../run-folder.ts';
import { readSource } from '../run-source.ts';
import type { CardEvaluation } from './card-facts.ts';
import { readCertificate } from '../certificate/certificate-file.ts';
import { type CardDraft, composeRepository } from './compose-repository.ts';
import { findDataOrigin } from './data-origin.ts';
import { findModelOrigin } from './model-origin.ts';
import { publishedParts, type PublishedPart } from './publish-files.ts';
import { type PushRecord, writePushRecord } from './push-record.ts';
import { findArtifacts, type RunArtifacts } from './run-artifacts.ts';
import { gatherFacts } from './training-facts.ts';

const notesBytes = 1 << 20;

export interface PushRunDeps {
  readonly config: Config;
  readonly clock: Clock;
  /** The evaluation of this model, rendered, where there is one. */
  readonly evaluation?: CardEvaluation | undefined;
}

export interface PushRunOptions {
  /** `owner/name`, or a name in the token's own account; default: the recipe's output.name there. */
  readonly repo?: string | undefined;
  readonly visibility: Visibility;
  /** Default: everything that the run made. */
  readonly parts?: readonly PublishedPart[] | undefined;
  /** Branch; default: main. */
  readonly revision?: string | undefined;
  /** Looks, hashes and writes the card into the run's folder; sends nothing. Without a token it does not look at the Hub. */
  readonly isDryRun?: boolean;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Called once the run, its files and the token were found good, before anything is sent. */
  readonly onBegin?: ((record: PushRecord) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timing?: Partial<HubTiming> | undefined;
}

/** What a push did, or in a dry run would do. */
export interface PushRunOutcome extends PushOutcome {
  readonly visibility: Visibility;
  readonly parts: readonly PublishedPart[];
  /** What the one who pushes should know, such as what a licence asks for. */
  readonly notices: readonly string[];
}

/**
 * Pushes what a run made to its repository on the Hub, with a model card. The same call again sends only what changed; broken off, it goes on.
 *
 * @throws OSLER_ERR_RUN_STATE, OSLER_ERR_HUB_PUSH, OSLER_ERR_HUB_PUSH_REFUSED, OSLER_ERR_DISK_FULL, OSLER_ERR_INTERRUPTED
 */
export async function pushRun(run: Run, folder: RunFolder, deps: PushRunDeps, options: PushRunOptions): Promise<PushRunOutcome> {
  if (!isEnded(run.state)) throw new OSLER_ERR_RUN_STATE(run.id, run.state, 'it is at work. Push it when it is done.');
  if (!existsSync(folder.root)) throw new OSLER_ERR_RUN_STATE(run.id, run.state, 'its folder is gone.');
  // Card and record are written here; a lock needs a little room as well.
  await checkFreeDisk(folder.root, notesBytes);
  const unlock = tryLockFolder(folder.root);
  if (unlock === undefined)
    throw new OSLER_ERR_RUN_STATE(run.id, run.state, 'another osler process works on it. Push it when that is done.');
  try {
    return await pushLocked(run, folder, deps, options);
  } finally {
    unlock();
  }
}

async function pushLocked(run: Run, folder: RunFolder, deps: PushRunDeps, options: PushRunOptions): Promise<PushRunOutcome> {
  const { config, clock } = deps;
  const isDryRun = options.isDryRun ?? false;
  const events = await readEvents(folder.events);
  const artifacts = await findArtifacts(run, folder, events);
  const parts = choose(run, artifacts, options.parts);
  const repo = await repositoryOf(run, deps, options);
  const isOffline = isDryRun && config.hubToken === null;
  const source = await readSource(folder);
  const base = source?.base ?? { ref: run.recipe.base.ref, revision: run.recipe.base.revision };
  const data = source?.data ?? { ref: run.recipe.data.ref, revision: run.recipe.data.revision };
  const about = { config, isOffline, signal: options.signal };
  const draft: CardDraft = {
    repo,
    home: config.home,
    run,
    source,
    training: gatherFacts(events),
    base: await findModelOrigin(base, about),
    data: await findDataOrigin(data, run.recipe.data.config, about),
    exportNotices: artifacts.notices,
    certificate: await readCertificate(folder),
    evaluation: deps.evaluation,
    oslerVersion: packageVersion(),
  };
  const revision = options.revision ?? 'main';
  const push = async (): Promise<PushOutcome> =>
    await pushFiles({
      endpoint: config.hubEndpoint,
      token: config.hubToken,
      repo,
      revision,
      visibility: options.visibility,
      run: run.id,
      title: `Push ${run.id} (${parts.join(', ')})`,
      files: async (former) => await composeRepository(draft, artifacts, new Set(parts), folder, former),
      isDryRun,
      onProgress: options.onProgress,
      signal: options.signal,
      timing: options.timing,
    });
  const record = {
    schemaVersion: 1 as const,
    runId: run.id,
    repo,
    revision,
    visibility: options.visibility,
    parts: [...parts],
    startedAt: clock.now().toISOString(),
  };
  const { outcome, problem } = isDryRun
    ? { outcome: await push(), problem: '' }
    : await recorded(folder, record, clock, push, options.onBegin);
  return { ...outcome, visibility: options.visibility, parts, notices: [problem, ...noticesOf(draft)].filter((notice) => notice !== '') };
}

/** Notes the push before anything is sent, so that a full disk shows early, and how it ended. */
async function recorded(
  folder: RunFolder,
  begun: Omit<PushRecord, 'state' | 'endedAt' | 'commit' | 'url' | 'sentBytes' | 'error'>,
  clock: Clock,
  push: () => Promise<PushOutcome>,
  onBegin: PushRunOptions['onBegin'],
): Promise<{ outcome: PushOutcome; problem: string }> {
  const open = { ...begun, endedAt: null, commit: null, url: null, sentBytes: null, error: null };
  const end = (): string => clock.now().toISOString();
  const begin: PushRecord = { ...open, state: 'pushing' };
  await writePushRecord(folder, begin);
  onBegin?.(begin);
  let outcome: PushOutcome;
  try {
    outcome = await push();
  } catch (error) {
    // What went wrong is of more use than that it could not be noted.
    await writePushRecord(folder, { ...open, state: 'failed', endedAt: end(), error: messageOf(error) }).catch(() => undefined);
    throw error;
  }
  const { commit, url, sent } = outcome;
  const done: PushRecord = {
    ...open,
    state: 'done',
    endedAt: end(),
    commit,
    url,
    sentBytes: sent.reduce((sum, file) => sum + file.bytes, 0),
  };
  try {
    await writePushRecord(folder, done);
    return { outcome, problem: '' };
  } catch (error) {
    return { outcome, problem: `The push is done, but could not be noted in the run's folder: ${messageOf(error)}` };
  }
}

/** The parts that are there, or those asked for, all of which must be there. */
function choose(run: Run, artifacts: RunArtifacts, asked: PushRunOptions['parts']): PublishedPart[] {
  const has = {
    adapter: artifacts.adapter.some((file) => file.path.endsWith('.safetensors')),
    merged: artifacts.merged.some((file) => file.path.endsWith('.safetensors')),
    gguf: artifacts.ggufs.length > 0,
  };
  const missing = (asked ?? []).filter((part) => !has[part]);
  if (missing.length > 0)
    throw new OSLER_ERR_RUN_STATE(
      run.id,
      run.state,
      `it has no ${missing.join(' and no ')}. Leave that out of --what, or finish it with: npx osler train --resume ${run.id}`,
    );
  const chosen = publishedParts.filter((part) => (asked === undefined ? has[part] : asked.includes(part)));
  if (chosen.length === 0)
    throw new OSLER_ERR_RUN_STATE(run.id, run.state, 'it has nothing to push: no adapter, no merged model and no GGUF.');
  return chosen;
}

async function repositoryOf(run: Run, { config }: PushRunDeps, options: PushRunOptions): Promise<string> {
  const wanted = options.repo ?? run.recipe.output.name;
  const access = createHubAccess(
    { endpoint: config.hubEndpoint, token: config.hubToken, purpose: 'push', signal: options.signal, timing: options.timing },
    wanted,
  );
  if (options.isDryRun === true && config.hubToken === null) return wanted.includes('/') ? wanted : `your-name/${wanted}`;
  const account = await findAccount(access);
  if (!wanted.includes('/')) return `${account.name}/${wanted}`;
  return wanted;
}

function noticesOf({ base, certificate, repo }: CardDraft): string[] {
  const { licence } = base;
  const name = repo.split('/')[1] ?? '';
  const notices = [
    certificate === undefined ? 'The run has no certificate: the card says that nobody checked the exported files.' : '',
    certificate?.passed === false ? 'The run’s certificate failed: the card says so.' : '',
    licence.id === 'unknown' ? `The licence of the base model "${base.name}" is not known: find it out before you pass the model on.` : '',
    licence.namePrefix !== null && !name.toLowerCase().startsWith(licence.namePrefix.toLowerCase())
      ? `The ${licence.name} asks that the name of a model that is passed on begins with "${licence.namePrefix}"; yours is "${name}". Choose another with --repo before you make it public.`
      : '',
    licence.notice !== null && base.files.length === 0
      ? `The ${licence.name} asks that a copy of it travels with the weights, and the base model brought none: add it to the repository from ${licence.link} before you make it public.`
      : '',
  ];
  return notices;
}

/** Reads words such as `adapter,gguf`. Throws OSLER_ERR_USAGE for others. */
export function readParts(words: string): PublishedPart[] {
  return words.split(',').map((word) => {
    const part = publishedParts.find((candidate) => candidate === word.trim());
    if (part === undefined) throw new OSLER_ERR_USAGE(`"${word}" is no part of a run. Choose from: ${publishedParts.join(', ')}.`);
    return part;
  });
}
