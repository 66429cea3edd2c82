import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostReply, preflightArguments, readReply } from '../preflight/ask-trainer.ts';
import { trainerSettings } from '../python-environment.ts';
import type { HostQuestion } from './launcher.ts';
import { baseOfQuestion } from './question-base.ts';
import type { RayClient, RayJob } from './ray-client.ts';
import type { RayStorage } from './ray-storage.ts';
import { remoteJob } from './remote-job.ts';
import { jobName } from './run-names.ts';
import { quoteForShell } from './shell-quote.ts';

export interface RayQuestionDeps {
  readonly name: string;
  readonly client: RayClient;
  readonly storage: RayStorage;
  /** Folder of the trainer's package here. */
  readonly sources: string;
  readonly python: string;
  /** That each process of a run reserves. */
  readonly gpus: number;
  readonly threads: number | undefined;
  /** How long the question waits for its resources. */
  readonly roomMs: number;
}

const pollMs = 500;
const answerMs = 240_000;

/**
 * Asks a worker of a cluster about a job, by a job with the resources that the run would have: on a worker without a GPU the
 * answer would be about another machine. Where there is no room for it now, it is not waited for.
 *
 * @throws OSLER_ERR_LAUNCHER_*
 */
export async function askRayCluster(question: HostQuestion, deps: RayQuestionDeps): Promise<HostReply> {
  const { client, storage, name, gpus } = deps;
  if (question.circumstances.isBusy && gpus > 0)
    return { kind: 'silent', why: `other runs hold the GPUs of "${name}", so that it has no room to answer.` };
  await storage.check();
  const id = `osler-check-${randomUUID()}`;
  const there = storage.checkFolder(id);
  const [reply, log] = ['reply.json', 'trainer.log'].map((file) => path.join(there, file)) as [string, string]; // two of two
  try {
    const job = await putQuestion(question, there, deps);
    await client.submit({
      entrypoint: `exec ${quoteForShell([deps.python, ...job.arguments])} > ${quoteForShell([reply])} 2> ${quoteForShell([log])}`,
      submission_id: id,
      runtime_env: { env_vars: { ...trainerSettings, PYTHONPATH: job.sources } },
      entrypoint_num_cpus: 1,
      entrypoint_num_gpus: gpus * question.job.recipe.trainer.processes,
      metadata: {},
    });
    const ended = await endOf(id, deps, question.signal);
    if (ended === undefined) return { kind: 'silent', why: `"${name}" had no room to answer within ${deps.roomMs / 1000} s.` };
    const [stdout, stderr] = await Promise.all([reply, log].map(async (file) => await readFile(file, 'utf8').catch(() => '')));
    return readReply({ exitCode: ended.status === 'SUCCEEDED' ? 0 : 1, stdout: stdout ?? '', stderr: stderr || (ended.message ?? '') });
  } finally {
    await rm(there, { recursive: true, force: true });
  }
}

/** Copies what the job names into the folder that the workers share. */
async function putQuestion(
  { job, folder, circumstances, signal }: HostQuestion,
  there: string,
  { storage, sources, threads }: RayQuestionDeps,
): Promise<{ sources: string; arguments: string[] }> {
  const sourcesThere = await storage.putSources(sources, signal);
  const base = storage.holds(job.basePath)
    ? { path: job.basePath, hasWeights: circumstances.hasWeights, files: [] }
    : await baseOfQuestion(job.basePath, path.join(there, 'base'));
  const remote = remoteJob(job, folder, there, base.path, threads ?? job.threads);
  const files = remote.files.map((name) => ({ from: path.join(folder.root, name), to: path.join(there, name) }));
  for (const { from, to } of [...base.files, ...files]) {
    await mkdir(path.dirname(to), { recursive: true });
    await copyFile(from, to);
  }
  const jobFile = path.join(there, jobName);
  await writeFile(jobFile, JSON.stringify(remote.job));
  return { sources: sourcesThere, arguments: preflightArguments(jobFile, { ...circumstances, hasWeights: base.hasWeights }) };
}

/** The job once it has ended; undefined: it waited too long for resources, or ran too long, and was ended. */
async function endOf(id: string, { client, roomMs }: RayQuestionDeps, signal?: AbortSignal): Promise<RayJob | undefined> {
  const startMs = performance.now();
  try {
    for (;;) {
      const job = await client.job(id, signal);
      if (job?.status !== 'PENDING' && job?.status !== 'RUNNING') return job;
      if (performance.now() - startMs > (job.status === 'PENDING' ? roomMs : answerMs)) break;
      await sleep(pollMs, undefined, { signal });
    }
  } catch (error) {
    await client.stop(id).catch(() => undefined);
    signal?.throwIfAborted();
    throw error;
  }
  await client.stop(id);
  return undefined;
}
