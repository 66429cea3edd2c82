import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { type HostReply, preflightArguments, readReply } from '../preflight/ask-trainer.ts';
import { trainerSettings } from '../python-environment.ts';
import { sizeOf } from './appended-file.ts';
import { sourcesFolder } from './content-folder.ts';
import { checkHost, packagesOf } from './host-description.ts';
import type { HostQuestion } from './launcher.ts';
import { baseOfQuestion } from './question-base.ts';
import { remoteJob } from './remote-job.ts';
import { jobName } from './run-names.ts';
import type { SshHost } from './ssh-host.ts';
import { sendFolder } from './ssh-input.ts';
import { type Upload, uploadFiles } from './ssh-upload.ts';

const Output = z.object({ exitCode: z.int().nullable(), stdout: z.string(), stderr: z.string() });
/** torch alone takes a minute to import on a disk that is cold. */
const timeoutSeconds = 240;

export interface SshTrainerSettings {
  /** Folder of the trainer's package here. */
  readonly sources: string;
  /** Environment variables that no file, log or argument list may hold. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Asks the trainer of a host about a job. Its rows go there, and config and tokenizer of a base of this machine; the folder that
 * they lie in is removed there once it has answered.
 *
 * @throws OSLER_ERR_LAUNCHER_*
 */
export async function askSshHost(host: SshHost, question: HostQuestion, { sources, secrets }: SshTrainerSettings): Promise<HostReply> {
  const { job, folder, signal } = question;
  const description = await host.describe(packagesOf(job), signal);
  checkHost(host.name, description, host.settings.python, job);
  const sourcesThere = await sendFolder(host, description, 'sources', await sourcesFolder(sources), 0, question);
  const there = path.posix.join(description.workDir, 'checks', randomUUID());
  const base = await baseOfQuestion(job.basePath, path.posix.join(there, 'base'));
  const remote = remoteJob(job, folder, there, base.path, host.settings.threads ?? description.cores);
  const text = Buffer.from(JSON.stringify(remote.job));
  const uploads: Upload[] = [{ from: text, to: path.posix.join(there, jobName), bytes: text.length, offset: 0 }];
  for (const { from, to } of [
    ...base.files,
    ...remote.files.map((name) => ({ from: path.join(folder.root, name), to: path.posix.join(there, name) })),
  ])
    uploads.push({ from, to, bytes: await sizeOf(from), offset: 0 });
  await uploadFiles(host, uploads, { signal });
  const request = {
    op: 'preflight',
    workDir: host.settings.workDir,
    folder: there,
    processes: job.recipe.trainer.processes,
    arguments: preflightArguments(path.posix.join(there, jobName), { ...question.circumstances, hasWeights: base.hasWeights }),
    environment: { ...trainerSettings, PYTHONPATH: sourcesThere, ...secrets },
    timeoutSeconds,
  };
  return readReply(await host.ask({ request, reply: Output, timeoutMs: (timeoutSeconds + 30) * 1000, signal }));
}
