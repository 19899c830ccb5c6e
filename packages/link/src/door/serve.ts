/** The agent's door for other processes of the node: whoever knows the token gets a stream to the cloud over the node's link. */
import { timingSafeEqual } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { LinkStream } from '../contract.ts';
import { joinStreams, SocketStream } from './socket-stream.ts';

export interface LinkDoorOptions {
  readonly socket: string;
  readonly token: string;
  /** Opens the stream of a service; rejects when there is no such service, or no link. The header is the agent's to write. */
  readonly open: (service: string, signal: AbortSignal) => Promise<LinkStream>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LinkDoor {
  close(): Promise<void>;
}

/** Streams at a time. */
const MAX_VISITORS = 32;
/** To say token and service. */
const GREETING_MS = 5000;
const MAX_SERVICE_BYTES = 100;

export async function serveLinkDoor(options: LinkDoorOptions): Promise<LinkDoor> {
  const { socket: path, log } = options;
  const visitors = new Set<Socket>();
  // A process that said all it has to say still reads.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    visitors.add(socket);
    socket.once('close', () => visitors.delete(socket));
    receive(options, socket).catch((error: unknown) => {
      log.debug({ error: messageOf(error) }, 'a visitor at the door of the link is gone');
      socket.destroy();
    });
  });
  server.maxConnections = MAX_VISITORS;
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    close: async () => {
      for (const socket of visitors) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive({ token, open, clock }: LinkDoorOptions, socket: Socket): Promise<void> {
  const visitor = new SocketStream(socket);
  const gone = new AbortController();
  void visitor.closed.then(() => gone.abort());
  const incoming = visitor.incoming[Symbol.asyncIterator]();
  const late = clock.after(GREETING_MS, () => socket.destroy(), { unref: true });
  const given = await next(incoming);
  const service = await next(incoming);
  late.cancel();
  const answer = (text: string) => visitor.send(Buffer.from(text));
  if (!isSame(given, Buffer.from(token)) || service.length > MAX_SERVICE_BYTES) {
    await answer('no such token');
    socket.end();
    return;
  }
  try {
    const stream = await open(Buffer.from(service).toString(), gone.signal);
    await answer('');
    await joinStreams({ ...bind(visitor), incoming: { [Symbol.asyncIterator]: () => incoming } }, stream);
  } catch (error) {
    await answer(messageOf(error).slice(0, 1000) || 'refused');
    socket.end();
  }
}

/** What comes after the greeting is read on from the same iterator. */
function bind(stream: SocketStream): Omit<LinkStream, 'incoming'> {
  return {
    send: (message) => stream.send(message),
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
    closed: stream.closed,
  };
}

async function next(incoming: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  const { done, value } = await incoming.next();
  if (done === true) throw new Error('gone before it said what it wants');
  return value.slice();
}

function isSame(given: Uint8Array, wanted: Uint8Array): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
