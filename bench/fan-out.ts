/** 40 nodes that hold the same objects, 2,000 changes of these in 10 s: how long after the last change each node has it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '@skerry/api';
import { systemClock } from '@skerry/base';
import { joinCloud, nodeDoor } from '@skerry/security/identity';
import { eventually, TestCloud } from '@skerry/testkit/processes';
import { percentile, report, round } from './support/figures.ts';
import { cpuSecondsOf, memoryOf } from './support/running.ts';
import type { FromEdges, ToEdges } from './support/simulated-edges.ts';
import { CONFIG_MAPS, clientOf, NODES, PODS } from './support/site.ts';

const SITES = 40;
const OBJECTS = 100;
const CHANGES = 2_000;
const DURATION_MS = 10_000;
/** Tokens are made by processes, of which this machine runs a few at once. */
const JOIN_BATCH = 4;

await using cloud = await TestCloud.start();
using client = await clientOf(cloud.kubeconfig);
const names = Array.from({ length: OBJECTS }, (_, index) => `shared-${index}`);
for (const name of names) await client.create(CONFIG_MAPS, mapOf(name, -1));

const edges = fork(fileURLToPath(new URL('support/simulated-edges.ts', import.meta.url)), {
  execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
});
const identities = [];
for (let at = 0; at < SITES; at += JOIN_BATCH) {
  const batch = Array.from({ length: Math.min(JOIN_BATCH, SITES - at) }, (_, index) => join(`site-${at + index}`));
  identities.push(...(await Promise.all(batch)));
}
await ask(edges, { identities, prefix: 'shared-', objects: OBJECTS });

const cpuBefore = cpuSecondsOf(cloud.process.pid);
const begun = performance.now();
const final = new Map<string, string>();
const writes: Promise<void>[] = [];
for (let change = 0; change < CHANGES; change++) {
  const due = begun + (change * DURATION_MS) / CHANGES;
  if (performance.now() < due) await sleep(due - performance.now());
  writes.push(write(names[change % OBJECTS] ?? '', change));
}
await Promise.all(writes);
const lastAt = Date.now();
const seconds = (performance.now() - begun) / 1000;
const { times, sessions } = await ask(edges, { final: [...final] });
const cloudCpu = cpuSecondsOf(cloud.process.pid) - cpuBefore;
edges.kill();

const lags = times.map((at) => Math.max(0, at - lastAt)).toSorted((left, right) => left - right);
const load = `the cloud used ${round((cloudCpu / seconds) * 100)} % of a core, ${round(memoryOf(cloud.process.pid).rssMb)} MB resident`;
report(
  {
    name: `${SITES} nodes, ${CHANGES} changes in ${round(seconds)} s: last change to the last node`,
    value: lags.length === SITES ? (lags.at(-1) ?? 0) : Number.MAX_SAFE_INTEGER,
    unit: 'ms',
    atMost: 2000,
    note: `${lags.length} of ${SITES} nodes current, median ${percentile(lags, 0.5)} ms; ${load}; the nodes share one process`,
  },
  { name: 'sessions that were lost meanwhile', value: sessions - SITES, unit: 'sessions', atMost: 0 },
);

async function write(name: string, change: number): Promise<void> {
  const { metadata } = await client.update<KubeObject>(CONFIG_MAPS, mapOf(name, change));
  const version = metadata.resourceVersion ?? '';
  // Answers may overtake each other; the highest version is the one to arrive.
  if (Number(version) > Number(final.get(name) ?? 0)) final.set(name, version);
}

async function join(node: string) {
  const identity = await joinCloud({ door: nodeDoor({ clock: systemClock }), token: await cloud.createToken(node) });
  const make = () => client.create<KubeObject>(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: node } });
  await eventually(`node ${node} is there`, () => client.get({ gvr: NODES, name: node }).catch(make));
  await client.create<KubeObject>(PODS, podNaming(node));
  return identity;
}

async function ask(child: ChildProcess, message: ToEdges): Promise<FromEdges> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [FromEdges];
  return answer;
}

function mapOf(name: string, change: number): KubeObject {
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { change: String(change), key: 'x'.repeat(500) } };
}

/** A pod that names the objects makes them concern its node. */
function podNaming(node: string): KubeObject {
  const envFrom = names.map((name) => ({ configMapRef: { name } }));
  const spec = { nodeName: node, containers: [{ name: 'main', image: 'host', command: ['/bin/true'], envFrom }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: `pod-${node}`, namespace: 'default' }, spec };
}
