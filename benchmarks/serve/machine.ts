import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';

/** Where and with what a benchmark ran: nothing in it names the machine or a folder. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly platform: string;
  readonly node: string;
  readonly nodeLlamaCpp: string;
  /** Release of llama.cpp inside node-llama-cpp: what both servers compute with. */
  readonly llamaCpp: string;
}

/** Reads the hardware, and the versions of what is installed. */
export async function describeMachine(): Promise<Machine> {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('node-llama-cpp')), '..');
  const manifest = z.looseObject({ version: z.string() }).parse(await readJson(path.join(folder, 'package.json')));
  const release = z.looseObject({ release: z.string() }).parse(await readJson(path.join(folder, 'llama/binariesGithubRelease.json')));
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.arch()}`,
    node: process.versions.node,
    nodeLlamaCpp: manifest.version,
    llamaCpp: release.release,
  };
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}
