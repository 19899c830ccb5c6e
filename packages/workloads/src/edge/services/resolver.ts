/** The node's name server: UDP and TCP at one address, for the pods of this node. */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import type { Logger } from '@skerry/base';
import { messageOf } from '@skerry/base';
import { type AnswerContext, type Asker, answer } from './answer.ts';
import { framed } from './upstream.ts';

const MAX_CONNECTIONS = 128;
const IDLE_MS = 10_000;
/** A question that needs more is none. */
const MAX_QUERY_BYTES = 4096;
/** Answered at the same time; what comes beyond is dropped, as the network would, and asked again. */
const MAX_PENDING = 1024;

export interface ResolverOptions extends AnswerContext {
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
}

export interface Resolver {
  readonly port: number;
  close(): Promise<void>;
}

/** Both transports on one port; rejects when it is taken. */
export async function openResolver(options: ResolverOptions): Promise<Resolver> {
  const udp = await listenUdp(options);
  const { port } = udp.address();
  try {
    const tcp = await listenTcp({ ...options, port });
    return {
      port,
      close: async () => {
        udp.close();
        await tcp.close();
      },
    };
  } catch (error) {
    udp.close();
    throw error;
  }
}

async function listenUdp(options: ResolverOptions) {
  const socket = createSocket('udp4');
  let pending = 0;
  socket.on('message', (message, { address, port }) => {
    if (pending >= MAX_PENDING || message.length > MAX_QUERY_BYTES) return;
    pending++;
    answerOrLog(options, message, { viaTcp: false, isOnHost: address === options.host })
      .then((reply) => {
        if (reply !== undefined) socket.send(reply, port, address, () => {});
      })
      .catch(() => {})
      .finally(() => pending--);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('error', reject);
  socket.bind(options.port, options.host, resolve);
  await promise;
  socket.off('error', reject);
  socket.on('error', (error) => options.log.warn({ error: messageOf(error) }, 'names: socket failed'));
  return socket;
}

async function listenTcp(options: ResolverOptions): Promise<{ close(): Promise<void> }> {
  const open = new Set<Socket>();
  // Whoever has asked all may close its half and still hear the answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(options, socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(options.port, options.host, resolve);
  await promise;
  server.off('error', reject);
  return {
    close: () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of open) socket.destroy();
      return closed.promise;
    },
  };
}

/** Questions of one connection are answered one after the other. */
function serve(options: ResolverOptions, socket: Socket): void {
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  const asker = { viaTcp: true, isOnHost: socket.remoteAddress === options.host };
  const work = async () => {
    let received = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= received.readUInt16BE() + 2) {
        const length = received.readUInt16BE();
        if (length > MAX_QUERY_BYTES) return;
        const reply = await answerOrLog(options, received.subarray(2, length + 2), asker);
        if (reply === undefined) return;
        socket.write(framed(reply));
        received = received.subarray(length + 2);
      }
      if (received.length > MAX_QUERY_BYTES) return;
    }
  };
  work()
    .catch(() => {})
    .finally(() => socket.destroySoon());
}

async function answerOrLog(options: ResolverOptions, message: Buffer, asker: Asker): Promise<Buffer | undefined> {
  try {
    return await answer(options, message, asker);
  } catch (error) {
    options.log.debug({ error: messageOf(error) }, 'names: no answer made');
    return undefined;
  }
}
