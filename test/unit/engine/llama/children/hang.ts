// Busy, as native code that never comes back: no signal handler and no timer of this process runs any more.
process.on('SIGTERM', () => undefined);
for (;;);
