import { Presets, SingleBar } from 'cli-progress';
import type { Config } from '../core/config.ts';

const plainEveryMs = 5000;

/** Progress of one task: a bar with ETA on a terminal, plain lines elsewhere. */
export interface Progress {
  update(done: number, total: number, note?: string): void;
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
      format: `  ${title} {bar} {value}/{total} · {note}· ETA {eta_formatted}`,
      hideCursor: true,
      clearOnComplete: false,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update: (done, total, note = '') => {
      const payload = { note: note === '' ? '' : `${note} ` };
      if (isStarted) bar.update(done, payload);
      else bar.start(total, done, payload);
      isStarted = true;
      bar.setTotal(total);
    },
    stop: () => {
      if (isStarted) bar.stop();
    },
  };
}

function plainOf(title: string, write: (line: string) => void): Progress {
  let firstMs = 0;
  let firstDone: number | undefined;
  let writtenMs = -Infinity;
  let writtenDone = -1;
  return {
    update: (done, total, note = '') => {
      const nowMs = performance.now();
      // The first unit of work pays for the start, so the pace is measured from there on.
      if (firstDone === undefined) [firstDone, firstMs] = [done, nowMs];
      if (done === writtenDone || (nowMs - writtenMs < plainEveryMs && done < total)) return;
      const made = done - firstDone;
      const eta = made > 0 && done < total ? `, ETA ${Math.ceil(((nowMs - firstMs) / made / 1000) * (total - done))} s` : '';
      write(`  ${title} ${done}/${total}${note === '' ? '' : ` · ${note}`}${eta}`);
      writtenMs = nowMs;
      writtenDone = done;
    },
    stop: () => undefined,
  };
}
