import { z } from 'zod';
import { messageOf, OSLER_ERR_LAUNCHER_UNREACHABLE, OSLER_ERR_LAUNCHER_UNSUITABLE } from '../../core/errors.ts';
import { type HttpAnswer, requestText } from './http-text.ts';

/** A job as Ray's Jobs API tells of it, https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html */
export const RayJob = z.object({
  status: z.enum(['PENDING', 'RUNNING', 'STOPPED', 'SUCCEEDED', 'FAILED']),
  message: z.string().nullish(),
});
export type RayJob = z.infer<typeof RayJob>;

export interface RaySubmission {
  readonly entrypoint: string;
  readonly submission_id: string;
  readonly runtime_env: { readonly env_vars: Readonly<Record<string, string>> };
  readonly entrypoint_num_cpus: number;
  readonly entrypoint_num_gpus: number;
  readonly metadata: Readonly<Record<string, string>>;
}

const timeoutMs = 30_000;
const shownTextLength = 500;

/** The four requests of Ray's Jobs API that a launcher needs. */
export class RayClient {
  readonly #name: string;
  readonly #address: string;

  /** @param address of the dashboard, such as http://head:8265 */
  constructor(name: string, address: string) {
    this.#name = name;
    this.#address = address.replace(/\/+$/, '');
  }

  /** The job of that id, or undefined. */
  async job(id: string, signal?: AbortSignal): Promise<RayJob | undefined> {
    const answer = await this.#request('GET', `/api/jobs/${encodeURIComponent(id)}`, undefined, signal);
    return answer.status === 404 ? undefined : RayJob.parse(this.#json(answer));
  }

  /** Submits a job. Ray refuses an id that it knows: a submission whose answer was lost can be sent again. */
  async submit(submission: RaySubmission, signal?: AbortSignal): Promise<void> {
    const { status, text } = await this.#request('POST', '/api/jobs/', submission, signal);
    if (status !== 200 && !text.includes('already exists')) throw this.#refused(status, text);
  }

  /** Asks a job to end: SIGTERM to its processes, and SIGKILL after the time that its environment says. */
  async stop(id: string): Promise<void> {
    const answer = await this.#request('POST', `/api/jobs/${encodeURIComponent(id)}/stop`);
    if (answer.status !== 404) this.#json(answer);
  }

  /** Resources of all nodes that are alive, such as GPU. */
  async resources(signal?: AbortSignal): Promise<Record<string, number>> {
    const answer = await this.#request('GET', '/api/v0/nodes?detail=1', undefined, signal);
    const total: Record<string, number> = {};
    for (const node of Nodes.parse(this.#json(answer)).data.result.result)
      if (node.state === 'ALIVE')
        for (const [name, amount] of Object.entries(node.resources_total)) total[name] = (total[name] ?? 0) + amount;
    return total;
  }

  async #request(method: 'GET' | 'POST', path: string, body?: object, signal?: AbortSignal): Promise<HttpAnswer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    let answer: HttpAnswer;
    try {
      answer = await requestText(method, this.#address + path, body, signal === undefined ? timeout : AbortSignal.any([timeout, signal]));
    } catch (error) {
      signal?.throwIfAborted();
      throw new OSLER_ERR_LAUNCHER_UNREACHABLE(this.#name, `${this.#address}: ${timeout.aborted ? 'no answer in time' : messageOf(error)}`);
    }
    // The dashboard restarts, or a proxy before it has lost it: as good as out of reach.
    if (answer.status >= 502 && answer.status <= 504)
      throw new OSLER_ERR_LAUNCHER_UNREACHABLE(this.#name, `${this.#address} answers with status ${answer.status}`);
    return answer;
  }

  #json({ status, text }: HttpAnswer): unknown {
    if (status !== 200) throw this.#refused(status, text);
    return JSON.parse(text);
  }

  #refused(status: number, text: string): Error {
    const said = text.trim().split('\n').at(-1)?.slice(0, shownTextLength) ?? '';
    return new OSLER_ERR_LAUNCHER_UNSUITABLE(
      this.#name,
      `Ray answers with status ${status}: ${said}. Check that "address" in launchers.json is that of Ray's dashboard.`,
    );
  }
}

const Nodes = z.object({
  data: z.object({
    result: z.object({
      result: z.array(z.object({ state: z.string(), resources_total: z.record(z.string(), z.number()).default({}) })),
    }),
  }),
});
