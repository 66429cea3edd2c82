import type { Preflight } from '../../src/core/schema/preflight.ts';

/** A report of the trainer in which everything is in order. */
export function hostReport(changes: Partial<Preflight> = {}): Preflight {
  return {
    schemaVersion: 1,
    runId: 'check',
    backend: 'peft',
    device: {
      kind: 'cpu',
      name: 'cpu',
      totalBytes: 8e9,
      freeBytes: 6e9,
      driverVersion: null,
      driverCudaVersion: null,
      torchCudaVersion: null,
      computeCapability: null,
      hasBf16: false,
    },
    deviceCount: 1,
    versions: { torch: '2.13.0' },
    rows: { count: 3, lengthTokens: { min: 10, median: 20, p95: 30, max: 40 }, truncated: 0, withoutResponse: 0 },
    memory: {
      terms: [{ name: 'weights', bytes: 5e8, description: 'x' }],
      neededBytes: 2e9,
      freeBytes: 6e9,
      largestBatch: 8,
      largestLengthTokens: 4096,
    },
    disk: { stages: [{ name: 'merged', bytes: 3e8, description: 'x' }], elsewhere: [], neededBytes: 3e8, freeBytes: 1e10 },
    findings: [],
    ...changes,
  };
}
