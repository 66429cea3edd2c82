import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { summarise } from '../../../benchmarks/serve/measurement.ts';
import { runLoad } from '../../../benchmarks/serve/run-load.ts';
import { buildBodies } from '../../../benchmarks/serve/workload.ts';

interface Seen {
  requests: number;
  open: number;
  mostOpen: number;
}

/** A server of one-token chunks; answers `answer` gives, and counts what it saw. */
async function serve(answer: (response: ServerResponse) => void): Promise<{ port: number; seen: Seen }> {
  const seen: Seen = { requests: 0, open: 0, mostOpen: 0 };
  const server = createServer((request, response) => {
    seen.requests += 1;
    seen.open += 1;
    seen.mostOpen = Math.max(seen.mostOpen, seen.open);
    response.once('close', () => {
      seen.open -= 1;
    });
    void text(request).then(() => answer(response));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port, seen };
}

function streamThree(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (value: unknown): unknown => response.write(`data: ${JSON.stringify(value)}\n\n`);
  send({ choices: [{ delta: { role: 'assistant' } }] });
  for (const content of ['a', 'b']) send({ choices: [{ delta: { content } }] });
  send({ choices: [{ delta: {}, finish_reason: 'length' }] });
  // Three tokens in two chunks: the count must come from here.
  send({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 } });
  response.end('data: [DONE]\n\n');
}

const bodies = buildBodies({ workload: 'short', round: 0, clients: 4, count: 12 });

it('plays all bodies from as many clients as asked, and counts tokens by the usage chunk', async () => {
  const { port, seen } = await serve(streamThree);
  const result = await runLoad({ port, clients: 4, bodies });
  expect(seen.requests).toBe(12);
  expect(seen.mostOpen).toBeLessThanOrEqual(4);
  expect(result.records).toHaveLength(12);
  const summary = summarise(result, { elapsedSeconds: 10, serverSeconds: 5, allSeconds: 8 + result.clientTotalCpuSeconds });
  expect(summary).toMatchObject({ requests: 12, meanCompletionTokens: 3, meanPromptTokens: 10, endedEarly: 0, serverCores: 0.5 });
  expect(summary.otherCores).toBeCloseTo(0.3, 9);
  expect(summary.tokensPerSecond).toBeCloseTo(36 / result.wallSeconds, 9);
});

it('fails with what the server said where it refuses', async () => {
  const { port } = await serve((response) => response.writeHead(400).end('{"error":{"message":"no such model"}}'));
  await expect(runLoad({ port, clients: 1, bodies })).rejects.toThrow('no such model');
});

it('fails where a stream ends without its usage, rather than count its chunks', async () => {
  const { port } = await serve((response) => response.writeHead(200).end('data: {"choices":[{"delta":{"content":"a"}}]}\n\n'));
  await expect(runLoad({ port, clients: 1, bodies })).rejects.toThrow('usage');
});
