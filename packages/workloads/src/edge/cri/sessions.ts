/** exec, attach and port-forward: the runtime names an address, we speak SPDY/3.1 to it, whose streams can end one by one. */
import type { Duplex } from 'node:stream';
import { connectSpdy, type SpdyClient, type SpdyStream, socketChannel } from '@skerry/kube/streaming';
import type { RuntimePort, RuntimeSession } from '../runtime.ts';
import { errors } from './errors.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const EXEC_PROTOCOL = 'v4.channel.k8s.io';
const FORWARD_PROTOCOL = 'portforward.k8s.io';
const MAX_STATUS_BYTES = 64 * 1024;

export interface SessionStreams {
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** The order of the streams is free; which they are is not, since the runtime waits for all it was asked for. */
export async function openSession(url: string, { stdin, tty }: SessionStreams): Promise<RuntimeSession> {
  const client = await dial(url, EXEC_PROTOCOL);
  const open = (streamtype: string) => client.open({ streamtype });
  const error = await open('error');
  const input = stdin ? await open('stdin') : undefined;
  const stdout = await open('stdout');
  const stderr = tty ? undefined : await open('stderr');
  const size = tty ? await open('resize') : undefined;
  const exitCode = readAll(error).then(exitCodeOf);
  exitCode.catch(() => {});
  return {
    writeStdin: async (chunk) => input?.send(chunk),
    closeStdin: () => void input?.end().catch(() => {}),
    resize: (columns, rows) => {
      const text = JSON.stringify({ Width: columns, Height: rows });
      size?.send(Buffer.from(text)).catch(() => {});
    },
    output: merged({ stdout, ...(stderr === undefined ? {} : { stderr }) }),
    exitCode,
    close: () => client.close(),
  };
}

export async function openPort(url: string, port: number): Promise<RuntimePort> {
  const client = await dial(url, FORWARD_PROTOCOL);
  const headers = { port: String(port), requestid: '0' };
  const error = await client.open({ streamtype: 'error', ...headers });
  await error.end();
  const data = await client.open({ streamtype: 'data', ...headers });
  return {
    incoming: data.incoming,
    send: (bytes) => data.send(bytes),
    end: () => void data.end().catch(() => {}),
    problem: readAll(error),
    close: () => client.close(),
  };
}

async function dial(url: string, protocol: string): Promise<SpdyClient> {
  const { socket, head } = await upgrade(new URL(url), protocol);
  return connectSpdy(socketChannel(socket, head));
}

function upgrade(url: URL, protocol: string): Promise<{ socket: Duplex; head: Buffer }> {
  // Through getBuiltinModule, since importing node:http as a module would load undici into the agent.
  const { request } =
    url.protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', headers, agent: false, timeout: CONNECT_TIMEOUT_MS });
    outgoing.once('upgrade', (_response, socket, head) => {
      socket.setTimeout(0);
      resolve({ socket, head });
    });
    outgoing.once('response', (response) => {
      response.resume();
      reject(errors.CALL_FAILED({ reason: `the runtime answered ${response.statusCode} to a stream` }));
    });
    outgoing.once('timeout', () => outgoing.destroy(errors.TIMED_OUT({ method: 'stream', ms: CONNECT_TIMEOUT_MS })));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

type Output = RuntimeSession['output'];
type OutputName = 'stdout' | 'stderr';

/** Chunks of both as they come; a stream is read on only when its last chunk was taken. */
async function* merged(streams: Partial<Record<OutputName, SpdyStream>>): Output {
  const readers = new Map(
    Object.entries(streams).map(
      ([name, { incoming }]) => [name as OutputName, incoming[Symbol.asyncIterator]()] as const,
    ),
  );
  const next = async (name: OutputName) => ({ name, result: await readers.get(name)?.next() });
  const waiting = new Map([...readers.keys()].map((name) => [name, next(name)]));
  while (waiting.size > 0) {
    const { name, result } = await Promise.race(waiting.values());
    if (result === undefined || result.done === true) waiting.delete(name);
    else {
      waiting.set(name, next(name));
      yield { stream: name, chunk: result.value };
    }
  }
}

async function readAll({ incoming }: SpdyStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size <= MAX_STATUS_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface EndStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** Undefined when the connection broke before the end. Throws when the command could not be run. */
function exitCodeOf(text: string): number | undefined {
  if (text === '') return undefined;
  const { status, message, details } = JSON.parse(text) as EndStatus;
  if (status === 'Success') return 0;
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code === undefined) throw errors.CALL_FAILED({ reason: message ?? 'the command could not be run' });
  return Number(code);
}
