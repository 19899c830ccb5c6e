/** The two other processes of the road's benchmark: the agent, with link and door, and the cloud, with hub, intake and store. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { serveLinkDoor } from '@skerry/link/door';
import { createEdgeLink, type LinkTls } from '@skerry/link/node';
import { Loopback, newFolder } from '@skerry/link/testing';
import { createTelemetry } from '@skerry/streams/cloud';
import type { Batch } from '@skerry/streams/contract';

/** Values of these series say when they were made. */
export const PROBE = 'probe';

export interface CloudAddress {
  readonly endpoint: string;
  readonly tls: LinkTls;
}

export interface CloudCounts {
  readonly rows: number;
  /** Of the link's upgraded sockets, without TLS. */
  readonly wireBytes: number;
  /** Milliseconds from being made to being in the store's memory. */
  readonly probes: readonly number[];
  readonly residentBytes: number;
}

export interface Peer {
  readonly process: ChildProcess;
  readonly said: unknown;
  ask<Answer>(): Promise<Answer>;
  stop(): Promise<void>;
}

const SELF = import.meta.filename;

export async function startPeer(role: 'cloud' | 'agent', told: object): Promise<Peer> {
  const child = fork(SELF, [role, JSON.stringify(told)], { execArgv: ['--conditions=source'] });
  const [said] = (await once(child, 'message')) as [unknown];
  return {
    process: child,
    said,
    ask: async <Answer>() => {
      child.send('counts');
      const [answer] = (await once(child, 'message')) as [Answer];
      return answer;
    },
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function runCloud({ folder }: { readonly folder: string }): Promise<void> {
  const telemetry = createTelemetry({ directory: join(folder, 'series'), clock: systemClock, log: silentLogger });
  const store = await telemetry.store();
  let rows = 0;
  let wireBytes = 0;
  const probes: number[] = [];
  const probed = new Map<number, boolean>();
  const isProbe = (series: number): boolean => {
    const known = probed.get(series) ?? store.describe(series)?.labels['property'] === PROBE;
    probed.set(series, known);
    return known;
  };
  const append = store.append.bind(store);
  store.append = (batch: Batch, ...mark) => {
    const appended = append(batch, ...mark);
    rows += appended.taken;
    const now = Date.now();
    for (let row = 0; row < batch.length; row++)
      if (isProbe(batch.series[row] ?? 0)) probes.push(now - (batch.values[row] ?? 0));
    return appended;
  };
  const cloud = await new Loopback({
    hub: { streamHandler: (node, _header, stream, signal) => telemetry.serve(node, stream, signal) },
  }).start();
  cloud.server.on('upgrade', (_request, socket) => {
    const push = socket.push.bind(socket);
    socket.push = (chunk: Uint8Array | null) => {
      wireBytes += chunk?.length ?? 0;
      return push(chunk);
    };
  });
  process.on('message', () => {
    const counts: CloudCounts = { rows, wireBytes, probes, residentBytes: process.memoryUsage.rss() };
    process.send?.(counts);
  });
  process.send?.({ endpoint: cloud.endpoint, tls: cloud.tlsOf('bench') });
}

interface AgentTold extends CloudAddress {
  readonly socket: string;
  readonly token: string;
  /** Of the session before. */
  readonly sessionNumber: number;
}

async function runAgent({ endpoint, tls, socket, token, sessionNumber }: AgentTold): Promise<void> {
  const folder = newFolder();
  const link = createEdgeLink({
    endpoints: () => [endpoint],
    tls: () => tls,
    node: 'bench',
    replica: folder.replica,
    outbox: folder.outbox,
    streamHandler: () => Promise.reject(new Error('nothing is answered here')),
    sessionNumbers: { load: () => sessionNumber, store: async () => {} },
    clock: systemClock,
    log: silentLogger,
    random: Math.random,
  });
  link.start();
  const open = (_service: string, signal: AbortSignal) => link.openStream(Buffer.from('road'), signal);
  await serveLinkDoor({ socket, token, open, clock: systemClock, log: silentLogger });
  process.send?.({});
}

if (import.meta.main) {
  const [, , role, told = '{}'] = process.argv;
  process.on('disconnect', () => process.exit());
  await (role === 'cloud' ? runCloud(JSON.parse(told)) : runAgent(JSON.parse(told)));
}
