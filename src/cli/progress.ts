import { Presets, SingleBar } from 'cli-progress';
import type { Config } from '../core/config.ts';

const plainEveryMs = 5000;

/** Progress of one task: a bar with ETA on a terminal, plain lines elsewhere. */
export interface Progress {
  /** @param etaSeconds until the end, where somebody knows better than the pace of the updates tells */
  update(done: number, total: number, note?: string, etaSeconds?: number): void;
  stop(): void;
}

/** Where the CLI tells what it does. Everything goes to stderr, so that stdout stays for results. */
export class Reporter {
  readonly #isTerminal: boolean;
  readonly #write: (line: string) => void;

  constructor(options: { isTerminal: boolean; write?: (line: string) => void }) {
    this.#isTerminal = options.isTerminal;
    this.#write = options.write ?? ((line) => process.stderr.write(`${line}\n`));
  }

  /** One line about a step that begins. */
  step(text: string): void {
    this.#write(`▸ ${text}`);
  }

  /** A line of detail. */
  info(text: string): void {
    this.#write(`  ${text}`);
  }

  progress(title: string): Progress {
    return this.#isTerminal ? barOf(title) : plainOf(title, this.#write);
  }
}

/** A reporter for this process: bars on a terminal, plain lines in CI and pipes. */
export function createReporter(config: Pick<Config, 'isCi'>): Reporter {
  return new Reporter({ isTerminal: process.stderr.isTTY && !config.isCi });
}

function barOf(title: string): Progress {
  const bar = new SingleBar(
    {
      format: `  ${title} {bar} {value}/{total}{note}{eta}`,
      hideCursor: true,
      clearOnComplete: false,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  const pace = new Pace();
  let isStarted = false;
  return {
    update: (done, total, note = '', etaSeconds) => {
      const eta = pace.etaOf(done, total, etaSeconds);
      const payload = { note: note === '' ? '' : ` · ${note}`, eta: eta === '' ? '' : ` · ${eta}` };
      if (isStarted) bar.update(done, payload);
      else bar.start(total, done, payload);
      isStarted = true;
      bar.setTotal(total);
    },
    stop: () => {
      if (isStarted) bar.stop();
      isStarted = false;
    },
  };
}

function plainOf(title: string, write: (line: string) => void): Progress {
  const pace = new Pace();
  let writtenMs = -Infinity;
  let writtenDone = -1;
  return {
    update: (done, total, note = '', etaSeconds) => {
      const nowMs = performance.now();
      const eta = pace.etaOf(done, total, etaSeconds);
      if (done === writtenDone || (nowMs - writtenMs < plainEveryMs && done < total)) return;
      write(`  ${title} ${done}/${total}${note === '' ? '' : ` · ${note}`}${eta === '' ? '' : `, ${eta}`}`);
      writtenMs = nowMs;
      writtenDone = done;
    },
    stop: () => undefined,
  };
}

/** How long is left, by the updates so far. The first unit of work pays for the start, so the pace is measured from there on. */
class Pace {
  #firstDone: number | undefined;
  #firstMs = 0;

  /** In words; empty where nothing is known, or nothing is left. */
  etaOf(done: number, total: number, knownSeconds?: number): string {
    const nowMs = performance.now();
    if (this.#firstDone === undefined) [this.#firstDone, this.#firstMs] = [done, nowMs];
    const made = done - this.#firstDone;
    const seconds = knownSeconds ?? (made > 0 ? ((nowMs - this.#firstMs) / made / 1000) * (total - done) : undefined);
    return seconds === undefined || done >= total ? '' : `ETA ${formatDuration(Math.ceil(seconds))}`;
  }
}

/** Whole seconds as people read them: 59 s, 12 min 5 s, 3 h 20 min. */
function formatDuration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
