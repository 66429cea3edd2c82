import type { Exchange } from './exchange.ts';
import type { HubFaults } from './faults.ts';

/** A file's bytes, whole or the range asked for, with the faults that are on. */
export function sendBytes(exchange: Exchange, faults: HubFaults, name: string, content: Buffer, headers: Record<string, string>): void {
  const { request, response } = exchange;
  const bytes = Buffer.from(content);
  if (faults.wrongBytes.has(name)) bytes[0] = (bytes[0] ?? 0) ^ 1;
  const asked = faults.ignoresRange ? null : /^bytes=(\d+)-(\d*)$/.exec(request.range ?? '');
  const start = Number(asked?.[1] ?? 0);
  if (asked !== null && start >= bytes.length) return exchange.send(416, { 'content-range': `bytes */${bytes.length}` }, '');
  const end = asked?.[2] ? Math.min(Number(asked[2]) + 1, bytes.length) : bytes.length;
  const body = bytes.subarray(start, end);
  const ranged = asked === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  const status = asked === null ? 200 : 206;
  const allHeaders = { ...headers, ...ranged, 'accept-ranges': 'bytes' };
  const fault = faults.break;
  if (fault === null || fault.times <= 0 || fault.path !== name) return exchange.send(status, allHeaders, body);
  fault.times -= 1;
  request.status = status;
  response.writeHead(status, { ...allHeaders, 'content-length': body.length });
  const head = body.subarray(0, fault.afterBytes);
  request.sentBytes = head.length;
  response.write(head, () => {
    if (fault.how === 'cut') response.socket?.end(() => response.destroy());
  });
}
