import { open } from 'node:fs/promises';
import { isEnded } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import { parseEvent } from '../train/event-file.ts';
import type { Trainings } from '../train/trainings.ts';

type Progress = Extract<TrainEvent, { type: 'progress' }>;

/** What is asked of the trainings. */
export type TrainingSource = Pick<Trainings, 'list' | 'folder'>;

/** Hundreds of events: the last progress is among them. */
const tailBytes = 64 << 10;

/** Where each training that is under way stands, from the end of its file of events. */
export async function readTrainingProgress(trainings: TrainingSource): Promise<{ run: string; progress: Progress }[]> {
  const active = trainings.list().filter((run) => !isEnded(run.state));
  const all = await Promise.all(active.map(async ({ id }) => ({ run: id, progress: await lastProgress(trainings.folder(id).events) })));
  return all.flatMap(({ run, progress }) => (progress === undefined ? [] : [{ run, progress }]));
}

async function lastProgress(file: string): Promise<Progress | undefined> {
  const lines = (await readTail(file)).split('\n');
  for (const line of lines.toReversed()) {
    const event = parseEvent(line);
    if (event?.type === 'progress') return event;
  }
  return undefined;
}

/** Empty where there is no such file yet. */
async function readTail(file: string): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
