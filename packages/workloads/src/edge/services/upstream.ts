/** Asks the host's own name servers what is not the cluster's: a few at once, each only so long, answers remembered shortly. */
import { createSocket } from 'node:dgram';
import { createConnection, isIP } from 'node:net';
import type { Clock } from '@skerry/base';
import { decode } from 'dns-packet';

const PORT = 53;
const MAX_SERVERS = 3;
const SERVER_TIMEOUT_MS = 2000;
/** More at once are refused: whoever asks so much is asked to wait. */
const MAX_IN_FLIGHT = 256;
const MAX_CACHED = 1000;
const MAX_CACHED_MS = 30_000;
const MAX_TCP_BYTES = 65_535;

export interface Upstream {
  /** The answer to this message with its own id, or undefined when nobody gave one. */
  ask(query: Buffer, viaTcp: boolean): Promise<Buffer | undefined>;
}

export interface UpstreamOptions {
  /** Of the host, as they are now: addresses, with a port where it is not 53 (`127.0.0.1:5353`). */
  readonly servers: () => readonly string[];
  readonly clock: Clock;
}

interface Remembered {
  readonly reply: Buffer;
  readonly until: number;
}

export function openUpstream({ servers, clock }: UpstreamOptions): Upstream {
  const cache = new Map<string, Remembered>();
  let inFlight = 0;

  const askServers = async (query: Buffer, viaTcp: boolean): Promise<Buffer | undefined> => {
    for (const server of servers().slice(0, MAX_SERVERS)) {
      const patience = new AbortController();
      const timer = clock.after(SERVER_TIMEOUT_MS, () => patience.abort());
      const asked = viaTcp ? askByTcp(server, query, patience.signal) : askByUdp(server, query, patience.signal);
      const reply = await asked.catch(() => undefined).finally(() => timer.cancel());
      if (reply !== undefined && isUsable(reply)) return reply;
    }
    return undefined;
  };
  return {
    ask: async (query, viaTcp) => {
      // All but the id, which is the asker's own.
      const key = `${viaTcp}${query.toString('latin1', 2)}`;
      const known = cache.get(key);
      if (known !== undefined && known.until > clock.monotonic()) return withId(known.reply, query);
      cache.delete(key);
      if (inFlight >= MAX_IN_FLIGHT) return undefined;
      inFlight++;
      try {
        const reply = await askServers(query, viaTcp);
        if (reply === undefined) return undefined;
        const ms = cacheableMs(reply);
        if (ms > 0) remember(cache, key, { reply, until: clock.monotonic() + ms });
        return withId(reply, query);
      } finally {
        inFlight--;
      }
    },
  };
}

function remember(cache: Map<string, Remembered>, key: string, entry: Remembered): void {
  cache.set(key, entry);
  const [oldest] = cache.keys();
  if (cache.size > MAX_CACHED && oldest !== undefined) cache.delete(oldest);
}

function withId(reply: Buffer, query: Buffer): Buffer {
  const own = Buffer.from(reply);
  query.copy(own, 0, 0, 2);
  return own;
}

/** A server that fails or refuses says nothing about the name; the next one may. */
function isUsable(reply: Buffer): boolean {
  const code = (reply[3] ?? 0) & 0x0f;
  return code === 0 || code === 3;
}

/** As long as the shortest-lived record of the answer allows. */
function cacheableMs(reply: Buffer): number {
  try {
    const { answers = [], authorities = [], flag_tc } = decode(reply);
    const ttls = [...answers, ...authorities].map((record) => ('ttl' in record ? (record.ttl ?? 0) : 0));
    return flag_tc || ttls.length === 0 ? 0 : Math.min(MAX_CACHED_MS, Math.min(...ttls) * 1000);
  } catch {
    return 0;
  }
}

function placeOf(server: string): { readonly host: string; readonly port: number } {
  if (isIP(server) !== 0) return { host: server, port: PORT };
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(server) ?? [];
  return { host, port: Number(port) };
}

/** From a port of its own each time, and only what answers this very question from there counts. */
function askByUdp(server: string, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { host, port } = placeOf(server);
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  socket.on('error', reject);
  socket.on('message', (reply) => {
    if (isReplyTo(query, reply)) resolve(reply);
  });
  socket.connect(port, host, () => socket.send(query));
  return promise.finally(() => socket.close());
}

function askByTcp(server: string, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket = createConnection({ ...placeOf(server), signal });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let received = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('closed')));
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    const length = received.length < 2 ? MAX_TCP_BYTES : received.readUInt16BE();
    if (received.length < length + 2) return;
    const reply = received.subarray(2, length + 2);
    if (isReplyTo(query, reply)) resolve(reply);
    else reject(new Error('not an answer to the question'));
  });
  socket.write(framed(query));
  return promise.finally(() => socket.destroy());
}

/** Over TCP each message follows its length. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function isReplyTo(query: Buffer, reply: Buffer): boolean {
  if (reply.length < 12 || reply.readUInt16BE(0) !== query.readUInt16BE(0) || ((reply[2] ?? 0) & 0x80) === 0)
    return false;
  const end = questionEnd(query);
  return (
    query.readUInt16BE(4) === reply.readUInt16BE(4) &&
    query.toString('latin1', 12, end).toLowerCase() === reply.toString('latin1', 12, end).toLowerCase()
  );
}

function questionEnd(query: Buffer): number {
  let at = 12;
  while (at < query.length && query[at] !== 0) at += (query[at] ?? 0) + 1;
  return at + 5;
}
