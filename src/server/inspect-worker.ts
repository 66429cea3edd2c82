import { parentPort, workerData } from 'node:worker_threads';
import { readConfig } from '../core/config.ts';
import { isOslerError, plainError } from '../core/errors.ts';
import { inspectData } from '../train/preflight/inspect-data.ts';
import { runFiles } from '../train/run-folder.ts';
import { contaminationFinder } from './contamination-finder.ts';
import type { InspectionReply, InspectionRequest } from './inspect-thread.ts';

// Only inspect-thread.ts starts this file, with such a request.
const { recipe, located, root, itemFiles } = workerData as InspectionRequest;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a thread has no origin
const tell = (reply: InspectionReply): void => parentPort?.postMessage(reply);

try {
  const findContamination = contaminationFinder(itemFiles, readConfig());
  const inspection = await inspectData(recipe, located, { folder: runFiles(root), findContamination, onStep: (step) => tell({ step }) });
  tell({ inspection });
} catch (error) {
  if (!isOslerError(error)) throw error;
  tell({ failure: plainError(error) });
}
