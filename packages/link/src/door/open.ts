/** A stream to the cloud for a process that is not the agent: through the agent's door, over the agent's link. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { LinkStream } from '../contract.ts';
import { errors } from '../errors.ts';
import { SocketStream } from './socket-stream.ts';

export interface DoorAddress {
  readonly socket: string;
  readonly token: string;
}

/** Rejects with LINK_STREAM_REFUSED and the agent's or the cloud's words when it is refused, or the node is cut off. */
export async function openThroughDoor(door: DoorAddress, service: string, signal?: AbortSignal): Promise<LinkStream> {
  signal?.throwIfAborted();
  const socket = connect({ path: door.socket, allowHalfOpen: true });
  const stream = new SocketStream(socket);
  const onAbort = () => socket.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  void stream.closed.then(() => signal?.removeEventListener('abort', onAbort));
  await once(socket, 'connect').catch((cause: unknown) => {
    throw errors.STREAM_REFUSED({ text: 'the agent does not listen' }, { cause });
  });
  await stream.send(Buffer.from(door.token));
  await stream.send(Buffer.from(service));
  const incoming = stream.incoming[Symbol.asyncIterator]();
  const { done, value } = await incoming.next();
  const text = done === true ? 'the agent has closed the door' : Buffer.from(value).toString();
  if (text !== '') {
    socket.destroy();
    throw errors.STREAM_REFUSED({ text });
  }
  return {
    send: (message) => stream.send(message),
    incoming: { [Symbol.asyncIterator]: () => incoming },
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
    closed: stream.closed,
  };
}
