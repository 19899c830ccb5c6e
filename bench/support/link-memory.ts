/** Heap of an idle session at the hub, beside that of a bare WebSocket. Servers and clients are processes of their own. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Loopback } from '@skerry/link/testing';
import { WebSocket } from 'ws';
import { type BareServer, startBareServer } from './link-bare.ts';

type Kind = 'link' | 'bare';

interface Setup {
  readonly endpoint: string;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
}

interface Usage {
  readonly heap: number;
  readonly rss: number;
  readonly sessions: number;
}

/** Clients dial in groups, so that the server's backlog never overflows. */
const GROUP = 50;
/** What is still in motion after the last handshake has come to rest by then. */
const REST_MS = 2_000;

export async function memory(sessions: number) {
  const bare = await perSession('bare', sessions);
  const link = await perSession('link', sessions);
  return {
    sessions,
    linkHeapBytes: Math.round(link.heap),
    bareHeapBytes: Math.round(bare.heap),
    ratio: Number((link.heap / bare.heap).toFixed(2)),
    linkRssBytes: Math.round(link.rss),
    bareRssBytes: Math.round(bare.rss),
  };
}

async function perSession(kind: Kind, sessions: number): Promise<Omit<Usage, 'sessions'>> {
  const server = startRole(`${kind}-server`);
  const setup = await nextMessage<Setup>(server);
  const before = await measure(server);
  const clients = startRole(`${kind}-clients`, String(sessions), JSON.stringify(setup));
  await nextMessage(clients);
  const after = await measure(server);
  clients.kill();
  server.kill();
  if (after.sessions !== sessions) throw new Error(`${after.sessions} of ${sessions} sessions are there`);
  return { heap: (after.heap - before.heap) / sessions, rss: (after.rss - before.rss) / sessions };
}

function startRole(...args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), args, { execArgv: ['--conditions=source', '--expose-gc'] });
}

function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (value) => resolve(value as T));
    child.once('exit', (code) => reject(new Error(`child ended with ${code}`)));
  });
}

function measure(server: ChildProcess): Promise<Usage> {
  server.send('measure');
  return nextMessage(server);
}

async function serve(kind: Kind): Promise<void> {
  // One certificate serves all clients; who they are is said in the path.
  const cloud = await new Loopback({ nodeOf: ({ url = '' }) => url.slice('/link/'.length) }).start();
  const bare = await startBareServer(cloud);
  const endpoint = kind === 'link' ? cloud.endpoint : bare.endpoint;
  process.on('message', () => setTimeout(() => process.send?.(usage(cloud, bare)), REST_MS));
  process.send?.({ endpoint, tls: cloud.tlsOf('node') } satisfies Omit<Setup, 'tls'> & { tls: unknown });
}

function usage(cloud: Loopback, bare: BareServer): Usage {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const current = [...cloud.hub.sessions()].filter((session) => session.current);
  return { heap: heapUsed, rss, sessions: current.length + bare.webSockets.clients.size };
}

async function dialAll(kind: Kind, sessions: number, setup: Setup): Promise<void> {
  const cloud = new Loopback();
  const dial = (index: number) => (kind === 'link' ? dialLink(cloud, index, setup) : dialBare(setup));
  for (let at = 0; at < sessions; at += GROUP) {
    const size = Math.min(GROUP, sessions - at);
    await Promise.all(Array.from({ length: size }, (_, index) => dial(at + index)));
  }
  process.send?.('connected');
}

async function dialLink(cloud: Loopback, index: number, { endpoint, tls }: Setup): Promise<void> {
  const urlPath = `/link/n${index}`;
  const edge = cloud.edge(`n${index}`, { endpoints: () => [endpoint], tls: () => tls, options: { urlPath } });
  edge.link.start();
  await edge.until((status) => status.current);
}

async function dialBare({ endpoint, tls }: Setup): Promise<void> {
  const socket = new WebSocket(`wss://${endpoint}`, { ...tls, perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
}

const [role, sessions = '0', setup = '{}'] = process.argv.slice(2);
if (process.send !== undefined) {
  const kind: Kind = role?.startsWith('link') ? 'link' : 'bare';
  await (role?.endsWith('server') ? serve(kind) : dialAll(kind, Number(sessions), JSON.parse(setup) as Setup));
}
