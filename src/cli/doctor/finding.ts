/**
 * One thing that `osler doctor` looked at. `note`: nothing to do; `warning`: it works, not as well as it could;
 * `failure`: something that was asked for cannot work.
 */
export interface Finding {
  readonly title: string;
  readonly level: 'ok' | 'note' | 'warning' | 'failure';
  readonly text: string;
  /** The command, or the few words, that mend it; null: there is nothing to mend. */
  readonly mend: string | null;
}

const titleWidth = 10;
const marks: Record<Finding['level'], string> = { ok: 'ok  ', note: '·   ', warning: 'warn', failure: 'FAIL' };

/** Lines for people: level, title, text; below it what mends it. */
export function renderFinding({ title, level, text, mend }: Finding): string {
  const line = `${marks[level]}  ${title.padEnd(titleWidth)}  ${text}`;
  return mend === null ? line : `${line}\n${' '.repeat(titleWidth + 8)}mend it: ${mend}`;
}
