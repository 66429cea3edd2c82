import path from 'node:path';
import { execa } from 'execa';
import { childEnvironment } from '../../core/config.ts';
import { engineEnvironment } from './backend-choice.ts';
import { ProbeReply, type ProbeRequest } from './probe-protocol.ts';

/** What came of a probe; `seconds` counts the start of its process too. */
export type ProbeResult =
  | { readonly ok: true; readonly device: string; readonly tokensPerSecond: number; readonly seconds: number }
  | { readonly ok: false; readonly reason: string; readonly seconds: number };

export interface ProbeOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Program of the probe's process; tests give others. */
  readonly childFile?: string;
}

const defaultTimeoutMs = 60_000;
const maxReasonLength = 300;
const ownChild = path.join(import.meta.dirname, `probe-child${path.extname(import.meta.filename)}`);

/**
 * Loads a backend in a process of its own and decodes with it.
 * An abort, a signal, a hang and an error all become `ok: false` with the reason.
 *
 * @throws the signal's reason when that fires
 */
export async function probeBackend(request: ProbeRequest, options: ProbeOptions = {}): Promise<ProbeResult> {
  const startMs = performance.now();
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const result = await execa(process.execPath, [options.childFile ?? ownChild, JSON.stringify(request)], {
    ipc: true,
    serialization: 'json',
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: timeoutMs,
    // A process that hangs in native code hears nothing gentler.
    killSignal: 'SIGKILL',
    // The backtrace of an abort calls a debugger, and hides the line that says why.
    env: childEnvironment({ GGML_NO_BACKTRACE: '1', ...engineEnvironment(request.choice) }),
    ...(options.signal && { cancelSignal: options.signal }),
  });
  options.signal?.throwIfAborted();
  const seconds = (performance.now() - startMs) / 1000;
  const reply = ProbeReply.safeParse(result.ipcOutput[0]);
  if (reply.success) return { ...reply.data, seconds };
  return { ok: false, seconds, reason: result.timedOut ? `no answer within ${timeoutMs / 1000} s` : describeEnd(result) };
}

function describeEnd(result: { signal?: string; exitCode?: number; all: string }): string {
  const how =
    result.signal === undefined
      ? `its process ended with code ${result.exitCode ?? 'unknown'}`
      : `its process was ended by ${result.signal}`;
  const cause = causeIn(result.all);
  return cause === '' ? how : `${how} (${cause.slice(0, maxReasonLength)})`;
}

/** The first line that speaks of an error, as later ones follow from it; else the last line. */
function causeIn(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines.find((line) => /\berror\b|_ASSERT|terminate called/i.test(line)) ?? lines.findLast((line) => line !== '') ?? '';
}
