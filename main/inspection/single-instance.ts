import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';

/**
 * Makes this process the only one that works with a folder. A listening socket (a named pipe on Windows) is the sign:
 * the system takes it down with the process, however that ends, so no stale lock is ever left.
 * @returns gives the folder free
 * @throws UserError `watchedTwice`
 */
export async function holdAlone(folder: string): Promise<() => Promise<void>> {
  const name = `twinspect-${createHash('sha256')
    .update(await realpath(folder))
    .digest('hex')
    .slice(0, 24)}`;
  const address = process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  for (let attempt = 0; ; attempt++) {
    const server = createServer((socket) => socket.destroy());
    if (await listens(server, address)) {
      server.unref();
      return () => new Promise((done) => server.close(() => done()));
    }
    if (attempt > 0 || (await answers(address))) {
      throw new UserError(
        'watchedTwice',
        `Another twinspect watch is already writing to "${folder}".`,
        'Stop it first, or choose another folder with --out.',
      );
    }
    // The socket's file outlives a killed process.
    await rm(address, { force: true });
  }
}

function listens(server: Server, address: string): Promise<boolean> {
  return new Promise((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') done(false);
      else fail(error);
    });
    server.listen(address, () => done(true));
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
