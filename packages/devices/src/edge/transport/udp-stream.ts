/** UDP as a stream of bytes: what is written at once is one datagram. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { DriverError } from '../driver-error.ts';
import type { ByteStream, Endpoint } from './byte-stream.ts';

/** Rejects with a DriverError. Only what comes from the endpoint is taken. */
export async function openUdp(
  { host, port }: Extract<Endpoint, { host: string }>,
  signal: AbortSignal,
): Promise<ByteStream> {
  const name = `${host}:${port}`;
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const closed = Promise.withResolvers<DriverError | undefined>();
  let isOpen = true;
  const end = (error: DriverError | undefined) => {
    closed.resolve(error);
    if (isOpen) socket.close();
    isOpen = false;
  };
  try {
    socket.connect(port, host);
    await once(socket, 'connect', { signal });
  } catch (cause) {
    socket.on('error', () => {});
    socket.close();
    if (signal.aborted) throw new DriverError('Closed', 'the attempt to connect was given up', { cause });
    throw new DriverError('Unreachable', `${name}: there is no way to this host`, { cause });
  }
  socket.on('error', (cause) => end(new DriverError('Unreachable', `${name} failed`, { cause })));
  return {
    closed: closed.promise,
    write: (bytes) => {
      if (isOpen)
        socket.send(
          bytes,
          (cause) => cause && end(new DriverError('Unreachable', `${name}: nobody listens there`, { cause })),
        );
    },
    onBytes: (listener) => void socket.on('message', listener),
    close: () => end(undefined),
  };
}
