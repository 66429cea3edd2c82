import http from 'node:http';
import https from 'node:https';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * One HTTP request with a JSON body, answered by text. Not `fetch`: its `Sec-Fetch-Mode` header makes Ray's dashboard take
 * it for a browser, which may not submit jobs.
 */
export async function requestText(method: 'GET' | 'POST', url: string, body: object | undefined, signal: AbortSignal): Promise<HttpAnswer> {
  const content = body === undefined ? '' : JSON.stringify(body);
  const { request } = url.startsWith('https:') ? https : http;
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
    const sent = request(url, { method, headers, signal, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(content);
  });
}
