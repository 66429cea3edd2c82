import type { ChildFault } from './protocol.ts';

/** What is wrong with one request, thrown in the engine's process and told to the server as a message. */
export class RequestFault extends Error {
  readonly fault: ChildFault;

  constructor(fault: ChildFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** The fault behind any thrown value. */
export function faultOf(error: unknown): ChildFault {
  if (error instanceof RequestFault) return error.fault;
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
