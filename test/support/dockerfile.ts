import { readFileSync } from 'node:fs';
import path from 'node:path';

/** One instruction, its continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** From one FROM to the next. */
export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** A COPY; `from` is a stage, or null for the build's context. */
export interface Copy {
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Reads a Dockerfile of the plain kind that this project has: every stage named, no here-documents. */
export function readDockerfile(file: string): Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  const text = readFileSync(file, 'utf8')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '');
  for (const line of text.split('\n').filter((candidate) => candidate.trim() !== '')) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const [, base, alias] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
    if (name === 'FROM') stages.push({ name: alias ?? '', base: base ?? '', instructions: [] });
    else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

/** The stage of a name. Throws where there is none. */
export function stageOf(stages: readonly Stage[], name: string): Stage {
  const stage = stages.find((candidate) => candidate.name === name);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return stage;
}

/** Instructions of a stage and of the stages it is made from, in the order in which they run. */
export function allInstructions(stages: readonly Stage[], name: string): Instruction[] {
  const stage = stageOf(stages, name);
  const isStage = stages.some((candidate) => candidate.name === stage.base);
  return [...(isStage ? allInstructions(stages, stage.base) : []), ...stage.instructions];
}

/** The last instruction of a kind, which is the one in force. */
export function lastOf(instructions: readonly Instruction[], name: string): string | undefined {
  return instructions.findLast((instruction) => instruction.name === name)?.rest;
}

/** What ENV sets, over all of its lines. */
export function environmentOf(instructions: readonly Instruction[]): Record<string, string> {
  const pairs = instructions.filter(({ name }) => name === 'ENV').flatMap(({ rest }) => [...rest.matchAll(/(\w+)=(\S+)/g)]);
  return Object.fromEntries(pairs.map(([, key = '', value = '']) => [key, value]));
}

export function parseCopy(rest: string): Copy {
  const words = rest.split(/\s+/);
  const from = /^--from=(.+)$/.exec(words[0] ?? '')?.[1] ?? null;
  const places = from === null ? words : words.slice(1);
  return { from, sources: places.slice(0, -1), target: places.at(-1) ?? '' };
}

/**
 * Whether a path of the project reaches the build, by the rules of .dockerignore: the last pattern that fits it or a folder
 * around it decides, and a slash at a pattern's end means nothing.
 */
export function contextFilter(ignoreFile: string): (name: string) => boolean {
  const patterns = readFileSync(ignoreFile, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ isKept: line.startsWith('!'), glob: line.replace(/^!/, '').replace(/\/$/, '') }));
  return (name) => {
    const parts = name.split('/');
    const around = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return patterns.findLast(({ glob }) => around.some((candidate) => path.posix.matchesGlob(candidate, glob)))?.isKept ?? true;
  };
}
