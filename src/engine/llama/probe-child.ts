/** A probe's own process: loads a backend and decodes with it. Loading alone proves nothing: some backends abort at the first decode. */
import type { Llama, Token } from 'node-llama-cpp';
import { messageOf } from '../../core/errors.ts';
import { loadBackend } from './load-backend.ts';
import { type ProbeReply, ProbeRequest } from './probe-protocol.ts';

const promptTokens = 16;
/** A backend that crawls is measured no longer than this. */
const maxDecodeMs = 3000;

async function probe({ choice, modelFile, threads, tokens }: ProbeRequest): Promise<ProbeReply> {
  const llama = await loadBackend(choice, { threads, hasDirectLog: true });
  const model = await llama.loadModel({ modelPath: modelFile, gpuLayers: 'max', ignoreMemorySafetyChecks: true });
  const context = await model.createContext({
    contextSize: promptTokens + tokens + 1,
    batchSize: promptTokens,
    threads: { ideal: threads, min: threads },
    ignoreMemorySafetyChecks: true,
  });
  const sequence = context.getSequence();
  // The byte tokens of the probe's model follow its three special ones; any model has as many.
  const prompt = Array.from({ length: promptTokens }, (_, index) => (index + 3) as Token); // a token is a number with a brand
  let [token] = await decode(prompt);
  let decoded = 0;
  const startMs = performance.now();
  while (decoded < tokens && token !== undefined && performance.now() - startMs < maxDecodeMs) {
    [token] = await decode([token]);
    decoded += 1;
  }
  const seconds = (performance.now() - startMs) / 1000;
  if (decoded === 0) return { ok: false, reason: 'it decoded no token' };
  return { ok: true, device: await deviceOf(llama, threads), tokensPerSecond: decoded / seconds };

  async function decode(input: readonly Token[]): Promise<Token[]> {
    const last = input.length - 1;
    const outputs = await sequence.controlledEvaluate(
      input.map((item, index) => [item, index === last ? { generateNext: { token: true } } : {}]),
    );
    return outputs.flatMap((output) => output?.next.token ?? []);
  }
}

async function deviceOf(llama: Llama, threads: number): Promise<string> {
  return llama.gpu === false ? `CPU, ${threads} threads` : (await llama.getGpuDeviceNames()).join(', ');
}

const request = ProbeRequest.parse(JSON.parse(process.argv[2] ?? 'null'));
const reply = await probe(request).catch((error: unknown): ProbeReply => ({ ok: false, reason: messageOf(error) }));
// Straight out: a backend that decodes and then crashes while it is taken down is good enough.
process.send?.(reply, () => process.exit(0));
