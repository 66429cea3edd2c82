/** A signal that aborts on Ctrl-C or SIGTERM, so that the servers are stopped before the program ends; a second one ends it at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('The benchmark was interrupted; nothing was written.'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
