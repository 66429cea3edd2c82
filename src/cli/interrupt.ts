import { OSLER_ERR_INTERRUPTED } from '../core/errors.ts';

/** Aborts on the first Ctrl-C or SIGTERM, until it is disposed of: what comes after says for itself what an interrupt does to it. */
export type InterruptSignal = AbortSignal & Disposable;

/** A signal that aborts on the first Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. Held with `using`. */
export function interruptSignal(onFirst: () => void): InterruptSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    onFirst();
    controller.abort(new OSLER_ERR_INTERRUPTED('Interrupted before anything was begun that could be lost. Run the same command again.'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return Object.assign(controller.signal, {
    [Symbol.dispose]: () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt),
  });
}
