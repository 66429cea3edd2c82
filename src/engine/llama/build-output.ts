/** How far a compilation is: files of files (ninja), or of a hundred (make). */
export interface BuildProgress {
  readonly done: number;
  readonly total: number;
}

const percent = 100;

/** The progress that a line of ninja or make tells: `[12/153] Building …`, `[ 12%] Building …`. */
export function progressIn(line: string): BuildProgress | undefined {
  const match = /^\s*\[\s*(\d+)(?:\/(\d+)|%)\]/.exec(line);
  if (match === null) return undefined;
  return { done: Number(match[1]), total: match[2] === undefined ? percent : Number(match[2]) };
}

const shownCmakeLines = 5;
const errorLine =
  /\berror\b[ :]|CMake Error|undefined reference|cannot find -l|No such file|: not found$|command not found|Killed\b|nvcc fatal|^fatal: /i;
/** npm's and Node's words about the failure of what they started, and git's about sources without history, which are no failure. */
const innocentLine = /SpawnError|npm (?:error|ERR!)|not a git repository/;

/** What went wrong, from the output of a build that failed: the first error of compiler, CMake or linker, else the last line. */
export function failureIn(lines: readonly string[]): string {
  const trimmed = lines.map((line) => line.trim()).filter((line) => line !== '' && !/^Node\.js v\d/.test(line));
  const at = trimmed.findIndex((line) => errorLine.test(line) && !innocentLine.test(line));
  const first = trimmed[at];
  if (first === undefined) return trimmed.at(-1) ?? 'it gave no output';
  // CMake says what is wrong on the lines after "CMake Error at …:".
  return first.startsWith('CMake Error at') ? trimmed.slice(at, at + shownCmakeLines).join(' ') : first;
}
