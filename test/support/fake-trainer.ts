import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a fake trainer may use: `$root`, the run's folder, and words for events. */
const prelude = `#!/bin/sh
# The last word, under torchrun too.
for job; do :; done
root=$(dirname "$job")
at=2026-11-24T09:00:00Z
stage() { echo "{\\"type\\":\\"stage\\",\\"at\\":\\"$at\\",\\"stage\\":\\"$1\\"}"; }
progress() { echo "{\\"type\\":\\"progress\\",\\"at\\":\\"$at\\",\\"step\\":$1,\\"totalSteps\\":4,\\"epoch\\":1,\\"loss\\":2.5,\\"learningRate\\":0.0002,\\"gradNorm\\":0.5,\\"tokensPerSecond\\":100,\\"memoryBytes\\":1000000,\\"etaSeconds\\":3}"; }
heartbeat() { echo "{\\"type\\":\\"heartbeat\\",\\"at\\":\\"$at\\",\\"step\\":$1,\\"idleSeconds\\":$2}"; }
stopped() { echo "{\\"type\\":\\"stopped\\",\\"at\\":\\"$at\\",\\"step\\":$1,\\"totalSteps\\":4}"; }
failed() { echo "{\\"type\\":\\"failed\\",\\"at\\":\\"$at\\",\\"reason\\":\\"$1\\",\\"message\\":\\"$2\\",\\"nextStep\\":\\"$3\\"}"; }
finished() { echo "{\\"type\\":\\"finished\\",\\"at\\":\\"$at\\",\\"steps\\":4,\\"finalLoss\\":2.1,\\"trainSeconds\\":1,\\"peakMemoryBytes\\":null}"; }
merged() { mkdir -p "$root/merged"; echo '{}' > "$root/merged/config.json"; echo "{\\"type\\":\\"artifact\\",\\"at\\":\\"$at\\",\\"kind\\":\\"merged\\",\\"path\\":\\"$root/merged\\",\\"bytes\\":3,\\"files\\":[]}"; }
echo start >> "$root/starts"
`;

/** A trainer that goes the whole way at once. */
export const quickTrainer = 'stage training; progress 1; progress 4; stage merging; merged; finished';

/** A trainer that waits for its end, and saves when it is asked to stop. */
export const patientTrainer = 'trap "stopped 1; exit 0" TERM; stage training; progress 1; while :; do sleep 0.02; done';
/** The same, deaf to all but SIGKILL, with a child of its own. */
export const deafTrainer = 'trap "" TERM; stage training; progress 1; sleep 50 & echo $! > "$root/child"; while :; do sleep 0.1; done';

/**
 * A program that stands for Python and plays a trainer: a shell script.
 *
 * @returns its path
 */
export function fakeTrainer(folder: string, script: string): string {
  const file = path.join(folder, 'python');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${prelude}${script}\n`);
  chmodSync(file, 0o755);
  return file;
}
