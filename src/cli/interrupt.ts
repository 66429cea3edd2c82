import { OSLER_ERR_INTERRUPTED } from '../core/errors.ts';

/** A signal that aborts on the first Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. */
export function interruptSignal(onFirst: () => void): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    onFirst();
    controller.abort(new OSLER_ERR_INTERRUPTED('Interrupted before anything was begun that could be lost. Run the same command again.'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}
