import { describe, expect, it } from 'vitest';
import { listen } from '../../../src/cli/serve.ts';
import { exitCodeOf } from '../../../src/core/errors.ts';
import { startService } from '../support/service.ts';

async function errorOf(host: string, port: number): Promise<Error> {
  const { app } = await startService();
  return await listen(app, { host, port }).then(
    () => {
      throw new Error('it listens');
    },
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
}

describe('opening the port', () => {
  it('says that it is in use and what to do, with exit code 2', async () => {
    const port = Number(new URL(await (await startService()).listen()).port);
    const error = await errorOf('127.0.0.1', port);
    expect(error).toMatchObject({ code: 'OSLER_ERR_SERVER_PORT_IN_USE' });
    expect(error.message).toContain(`Port ${port} on "127.0.0.1" is in use. Choose another with --port.`);
    expect(exitCodeOf(error)).toBe(2);
  });

  it('says that an address is none of this machine, with exit code 2', async () => {
    const error = await errorOf('192.0.2.1', 0);
    expect(error.message).toContain('"192.0.2.1"');
    expect(exitCodeOf(error)).toBe(2);
  });

  it('opens a free port', async () => {
    const { app } = await startService();
    await listen(app, { host: '127.0.0.1', port: 0 });
    expect(app.server.listening).toBe(true);
  });
});
