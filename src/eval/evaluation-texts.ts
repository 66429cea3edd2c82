import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { isRecord } from '../core/is-record.ts';
import type { Removable } from '../core/removable.ts';

/** Files that quote questions, thoughts or answers from end to end. */
const textFiles = ['samples.jsonl', 'evaluation.json', 'report.html'];
const reportFile = 'report.json';
/** An unfinished evaluation that was written to within this time is taken to be at work. */
const atWorkMs = 24 * 3600 * 1000;

/** Folder of the evaluations that were given no `--out`. Those elsewhere are their owner's. */
export function evaluationsFolder(home: string): string {
  return path.join(home, 'evaluations');
}

/**
 * What evaluations of a home keep of questions and answers, and nobody has written since a moment.
 * Removing it leaves the figures: report.md, and report.json without its items.
 */
export async function listEvaluationTexts(home: string, before: Date, now: Date): Promise<Removable[]> {
  const found: Removable[] = [];
  for (const name of await readdir(evaluationsFolder(home)).catch(() => [])) {
    const folder = path.join(evaluationsFolder(home), name);
    const usage = await textsIn(folder);
    const isAtWork = !existsSync(path.join(folder, reportFile)) && now.getTime() - usage.lastUsed.getTime() < atWorkMs;
    if (usage.bytes === 0 || isAtWork || usage.lastUsed >= before) continue;
    found.push({ kind: 'samples', name, ...usage, remove: async () => await removeTexts(folder) });
  }
  return found;
}

async function textsIn(folder: string): Promise<{ bytes: number; lastUsed: Date }> {
  const names = (await readReport(folder)) === null ? textFiles : [...textFiles, reportFile];
  const entries = await Promise.all(names.map(async (name) => await stat(path.join(folder, name)).catch(() => undefined)));
  const found = entries.filter((entry) => entry !== undefined);
  return {
    bytes: found.reduce((sum, entry) => sum + entry.size, 0),
    lastUsed: new Date(Math.max(0, ...found.map((entry) => entry.mtimeMs))),
  };
}

async function removeTexts(folder: string): Promise<void> {
  const report = await readReport(folder);
  if (report !== null) await writeJsonAtomically(path.join(folder, reportFile), { ...report, items: [] });
  for (const name of textFiles) await rm(path.join(folder, name), { force: true });
}

/** The report, where there is one and it still quotes items. */
async function readReport(folder: string): Promise<Record<string, unknown> | null> {
  try {
    const report: unknown = JSON.parse(await readFile(path.join(folder, reportFile), 'utf8'));
    return isRecord(report) && Array.isArray(report['items']) && report['items'].length > 0 ? report : null;
  } catch {
    return null;
  }
}
