import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { postChat, scriptedModel, type Service, startService } from '../support/service.ts';

/** Until here compiled code and its profiles grow the heap, by about 500 bytes a request; later by 20 to 250. */
const warmRequests = 600;
const furtherRequests = 600;
/** A leaked request keeps its body, its events and its chunks: kilobytes. */
const mostBytesARequest = 1000;

async function heapBytesAfter(service: Service, requests: number): Promise<number> {
  for (let done = 0; done < requests; done += 8) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => postChat(service, { stream: true })));
    expect(answers.map((answer) => answer.statusCode)).toEqual(Array.from({ length: 8 }, () => 200));
  }
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  // Finalisers of the first pass set free what the second takes.
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

it('hundreds of streamed answers leave nothing behind in the heap of the server', async () => {
  const service = await startService({ models: [scriptedModel()], logLevel: 'silent' });
  const warm = await heapBytesAfter(service, warmRequests);
  const later = await heapBytesAfter(service, furtherRequests);
  expect((later - warm) / furtherRequests).toBeLessThan(mostBytesARequest);
});
