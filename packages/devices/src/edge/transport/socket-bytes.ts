/** A socket or a terminal as a ByteStream. */
import type { Socket } from 'node:net';
import { DriverError } from '../driver-error.ts';
import type { ByteStream } from './byte-stream.ts';

/** So much may wait for a peer that does not read; then it counts as gone. */
const MAX_WAITING_BYTES = 1024 * 1024;

export function socketBytes(socket: Socket, name: string): ByteStream {
  const closed = Promise.withResolvers<DriverError | undefined>();
  const end = (error: DriverError | undefined) => {
    closed.resolve(error);
    socket.destroy();
  };
  const lost = (reason: string, cause?: unknown) => end(new DriverError('Unreachable', `${name} ${reason}`, { cause }));
  socket.on('error', (error: NodeJS.ErrnoException) => lost(`failed: ${error.code ?? error.message}`, error));
  socket.on('end', () => lost('was closed by the other side'));
  socket.on('close', () => lost('is closed'));
  socket.pause();
  return {
    closed: closed.promise,
    write: (bytes) => {
      if (socket.destroyed) return;
      // What one turn writes goes out in one call of the system, which is what small frames cost.
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      socket.write(bytes);
      if (socket.writableLength > MAX_WAITING_BYTES) lost('takes no more bytes');
    },
    onBytes: (listener) => {
      socket.on('data', listener);
      socket.resume();
    },
    close: () => end(undefined),
  };
}
