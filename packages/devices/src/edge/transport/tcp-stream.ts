/** TCP as a stream of bytes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DriverError } from '../driver-error.ts';
import type { ByteStream, Endpoint } from './byte-stream.ts';
import type { StreamOptions } from './open-stream.ts';
import { socketBytes } from './socket-bytes.ts';

/** A peer that vanished without a word is noticed also where nobody asks it anything. */
const KEEP_ALIVE_MS = 15_000;

export type TcpEndpoint = Pick<Extract<Endpoint, { host: string }>, 'host' | 'port'>;
export type TcpOptions = Pick<StreamOptions, 'timeoutMs' | 'clock' | 'signal'>;

export async function openTcp(endpoint: TcpEndpoint, options: TcpOptions): Promise<ByteStream> {
  return socketBytes(await connectTcp(endpoint, options), `${endpoint.host}:${endpoint.port}`);
}

/** Rejects with a DriverError. */
export async function connectTcp(
  { host, port }: TcpEndpoint,
  { clock, timeoutMs, signal }: TcpOptions,
): Promise<Socket> {
  const name = `${host}:${port}`;
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, late.signal]) });
    return socket;
  } catch (cause) {
    // What fails after this is of no interest, and must not end the process.
    socket.on('error', () => {});
    socket.destroy();
    throw connectError(name, cause, { isLate: late.signal.aborted, isGivenUp: signal.aborted, timeoutMs });
  } finally {
    timer.cancel();
  }
}

function connectError(
  name: string,
  cause: unknown,
  { isLate, isGivenUp, timeoutMs }: { isLate: boolean; isGivenUp: boolean; timeoutMs: number },
): DriverError {
  if (isGivenUp) return new DriverError('Closed', 'the attempt to connect was given up', { cause });
  if (isLate) return new DriverError('TimedOut', `${name} took no connection within ${timeoutMs} ms`, { cause });
  const code = (cause as NodeJS.ErrnoException).code;
  return new DriverError('Unreachable', `${name}: ${REASONS[code ?? ''] ?? code ?? String(cause)}`, { cause });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to this network',
  ETIMEDOUT: 'the host does not answer',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name cannot be looked up now',
};
