import { freeDiskBytes } from '../../core/free-disk.ts';
import type { Preflight } from '../../core/schema/preflight.ts';
import type { CheckFinding } from '../../core/schema/training-check.ts';
import { finding } from './data-findings.ts';

/** Whether the weights of a base that training fetches first fit on the disk of a home. */
export async function downloadFindings(bytes: number, home: string): Promise<CheckFinding[]> {
  const free = await freeDiskBytes(home);
  const sizes = `${gigabytes(bytes)} of weights are fetched first`;
  if (free > bytes) return [finding('note', 'baseMissing', `The base is not here yet: ${sizes}.`)];
  const message = `The base is not here yet: ${sizes}, and ${gigabytes(free)} are free at "${home}". Free some space, or set OSLER_HOME to a larger disk.`;
  return [finding('error', 'diskShort', message)];
}

/**
 * Whether what another machine trains fits on the disk of a home: adapter and merged model come here, and the exports are made
 * of them. The report's checkpoints stay there.
 */
export async function comingBackFindings({ stages, elsewhere }: NonNullable<Preflight['disk']>, home: string): Promise<CheckFinding[]> {
  const here = [...stages.filter(({ name }) => name !== 'checkpoints'), ...elsewhere];
  const needed = here.reduce((sum, { bytes }) => sum + bytes, 0);
  const free = await freeDiskBytes(home);
  if (needed <= free) return [];
  const parts = here.map(({ name, bytes }) => `${name} ${gigabytes(bytes)}`).join(', ');
  const message = `What was trained comes to this machine, where its GGUF files are made: ${gigabytes(needed)} (${parts}), and ${gigabytes(free)} are free at "${home}". Free some space, set OSLER_HOME to a larger disk, or make fewer GGUF types.`;
  return [finding('error', 'diskShort', message, 'output.ggufTypes')];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
