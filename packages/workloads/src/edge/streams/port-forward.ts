/** `kubectl port-forward`: a stream joined with a port of the pod. Process pods are on the node's own network. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { StatusError } from '@skerry/api';
import type { MessageStream } from '@skerry/kube/streaming';
import type { RuntimePort } from '../runtime.ts';

const CONNECT_TIMEOUT_MS = 5000;
const MAX_MESSAGE_BYTES = 32 * 1024;

/** Tries the hosts in turn: a program may listen on the loopback address alone, or on the node's. */
export async function forwardPort(
  hosts: readonly string[],
  port: number,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const socket = await connectAny(hosts, port);
  stream.accept?.();
  const leave = () => socket.destroy();
  signal.addEventListener('abort', leave, { once: true });
  stream.closed.then(leave, leave);
  sendUp(stream, socket).catch(leave);
  try {
    for await (const chunk of socket) await sendPieces(stream, chunk as Buffer);
    stream.end();
  } catch {
    stream.abort('connection to the pod broke');
  } finally {
    signal.removeEventListener('abort', leave);
    socket.destroy();
  }
}

/** The same with a connection that the runtime has made, inside the pod's own network. */
export async function joinPort(
  connection: RuntimePort,
  port: number,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  stream.accept?.();
  const leave = () => connection.close();
  signal.addEventListener('abort', leave, { once: true });
  stream.closed.then(leave, leave);
  pumpUp(stream, connection).catch(leave);
  try {
    for await (const chunk of connection.incoming) await sendPieces(stream, chunk);
    const problem = await connection.problem;
    if (problem === '') stream.end();
    else stream.abort(`port ${port} of the pod is not reached: ${problem}`);
  } catch {
    stream.abort('connection to the pod broke');
  } finally {
    signal.removeEventListener('abort', leave);
    connection.close();
  }
}

async function pumpUp(stream: MessageStream, connection: RuntimePort): Promise<void> {
  for await (const message of stream.incoming) await connection.send(message);
  connection.end();
}

async function sendUp(stream: MessageStream, socket: Socket): Promise<void> {
  for await (const message of stream.incoming) {
    if (socket.destroyed) return;
    if (!socket.write(message)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
  socket.end();
}

async function sendPieces(stream: MessageStream, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; start += MAX_MESSAGE_BYTES) {
    await stream.send(bytes.subarray(start, start + MAX_MESSAGE_BYTES));
  }
}

async function connectAny(hosts: readonly string[], port: number): Promise<Socket> {
  let cause: unknown;
  for (const host of hosts) {
    try {
      return await connectTo(host, port);
    } catch (error) {
      cause = error;
    }
  }
  const message = `nothing listens on port ${port} of the pod`;
  throw new StatusError(503, 'ServiceUnavailable', message, undefined, { cause });
}

function connectTo(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('timeout', () => socket.destroy(new Error('timed out')));
    socket.once('error', reject);
  });
}
