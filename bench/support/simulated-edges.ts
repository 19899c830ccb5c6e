/** Many nodes in one process: real links and real replicas, each on a file in memory, as nodes have disks of their own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger, systemClock } from '@skerry/base';
import { openReplica, type Replica } from '@skerry/kube/replica';
import { builtinKinds, ResourceTable } from '@skerry/kube/server';
import { createEdgeLink } from '@skerry/link/node';
import { linkTlsOptions, type NodeIdentity } from '@skerry/security/identity';

/** First who they are, later what they must hold in the end: names and versions. */
export type ToEdges =
  | { readonly identities: readonly NodeIdentity[]; readonly prefix: string; readonly objects: number }
  | { readonly final: readonly (readonly [name: string, version: string])[] };

/** When each node was level, and how many sessions there have been. */
export interface FromEdges {
  readonly times: readonly number[];
  readonly sessions: number;
}

interface SimulatedEdge {
  readonly replica: Replica;
  sessions: number;
}

const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 5;
const MEMORY = '/dev/shm';

const directory = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'skerry-bench-edges-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
process.on('SIGTERM', () => process.exit());
const rows = new ResourceTable(builtinKinds()).all().map(({ row }) => row);
const edges: SimulatedEdge[] = [];

process.on('message', (message: ToEdges) => {
  void answer(message).then((said) => process.send?.(said));
});

async function answer(message: ToEdges): Promise<FromEdges> {
  if ('final' in message) return whenLevel((edge) => holds(edge, new Map(message.final)));
  edges.push(...message.identities.map(startEdge));
  return whenLevel(
    (edge) => versionsOf(edge).filter(([name]) => name.startsWith(message.prefix)).length === message.objects,
  );
}

async function whenLevel(isLevel: (edge: SimulatedEdge) => boolean): Promise<FromEdges> {
  const times: number[] = [];
  const waiting = new Set(edges);
  const deadline = Date.now() + WAIT_MS;
  while (waiting.size > 0 && Date.now() < deadline) {
    for (const edge of waiting) {
      if (!isLevel(edge)) continue;
      waiting.delete(edge);
      times.push(Date.now());
    }
    await sleep(LOOK_EVERY_MS);
  }
  return { times, sessions: edges.reduce((sum, { sessions }) => sum + sessions, 0) };
}

function holds(edge: SimulatedEdge, final: ReadonlyMap<string, string>): boolean {
  return versionsOf(edge).filter(([name, version]) => final.get(name) === version).length === final.size;
}

function versionsOf({ replica }: SimulatedEdge): (readonly [string, string])[] {
  return [...replica.state.versions()].map(([key, version]) => [key.slice(key.lastIndexOf('/') + 1), String(version)]);
}

function startEdge(identity: NodeIdentity): SimulatedEdge {
  const { node, addresses, keyPem, certificatePem, caPem } = identity;
  const context = { node, clock: systemClock, log: silentLogger };
  const replica = openReplica({ ...context, file: join(directory, `${node}.db`), rows: () => rows });
  const edge: SimulatedEdge = { replica, sessions: 0 };
  const link = createEdgeLink({
    ...context,
    endpoints: () => addresses,
    tls: () => ({ key: keyPem, cert: certificatePem, ...linkTlsOptions(caPem) }),
    replica: replica.state,
    outbox: replica.outbox,
    streamHandler: async () => {},
    sessionNumbers: replica.sessionNumbers,
    random: Math.random,
  });
  let wasConnected = false;
  link.onStatus(({ connected }) => {
    if (connected && !wasConnected) edge.sessions++;
    wasConnected = connected;
  });
  link.start();
  return edge;
}
