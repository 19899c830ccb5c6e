/** Pods on one node, one after another and then many of one Deployment: how long they take, and what that costs. */
import type { WatchEvent } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { openGround, type Runtime, TestEdge } from '@skerry/testkit/processes';
import { report, round } from './figures.ts';
import { cpuSecondsOf, supervisorIn } from './running.ts';
import { DEPLOYMENTS, idleDeployment, idlePod, isReady, PODS, type Pod, type Site, startSite } from './site.ts';

const MANY = 120;
const NODE = 'bench';
const SINGLES = 10;
/** Succeeds at once. */
const PROBE = { exec: { command: ['true'] }, periodSeconds: 1 };

/** When each pod was seen for the first time in each of the states that it goes through, in milliseconds of this process. */
interface Seen {
  readonly created: Map<string, number>;
  readonly scheduled: Map<string, number>;
  readonly running: Map<string, number>;
  readonly ready: Map<string, number>;
  readonly deleted: Map<string, number>;
}

/** What the design promises on two cores. */
export interface Promised {
  /** One pod, from apply to Ready with a probe. */
  readonly readyMs: number;
  /** All pods, from apply to the last Running. */
  readonly manyMs: number;
}

export async function measurePods(kind: string, promised: Promised): Promise<void> {
  await using ground = await openGround(kind);
  const { runtime, edge } = ground;
  await using site = await startSite(NODE, (cloud) => TestEdge.join(cloud, { name: NODE, ...edge }));
  const seen: Seen = {
    created: new Map(),
    scheduled: new Map(),
    running: new Map(),
    ready: new Map(),
    deleted: new Map(),
  };
  const stopWatching = new AbortController();
  const { until } = follow(site.client, seen, stopWatching.signal);
  const untilIn = (state: ReadonlyMap<string, number>) => async (name: string) => {
    await until(() => state.has(name));
    return state.get(name) ?? 0;
  };
  const plain = { name: 'single', container: {}, arrived: untilIn(seen.running) };
  report({ name: 'one pod, apply to Running, median', ...(await measureSingles(site, runtime, plain)) });
  const probed = { name: 'probed', container: { readinessProbe: PROBE }, arrived: untilIn(seen.ready) };
  const ready = await measureSingles(site, runtime, probed);
  report({ name: 'one pod with a probe, apply to Ready, median', ...ready, atMost: promised.readyMs });
  await measureMany(site, { runtime, promised, seen, until });
  stopWatching.abort();
}

interface Singles {
  readonly name: string;
  readonly container: object;
  /** When a pod has come where it is to come to. */
  readonly arrived: (name: string) => Promise<number>;
}

async function measureSingles({ client }: Site, runtime: Runtime, { name, container, arrived }: Singles) {
  const times: number[] = [];
  for (let count = 0; count < SINGLES; count++) {
    const each = `${name}-${count}`;
    const startedAt = performance.now();
    await client.create(PODS, idlePod(each, runtime, container));
    times.push((await arrived(each)) - startedAt);
  }
  const sorted = times.toSorted((left, right) => left - right);
  const note = `fastest ${Math.round(sorted[0] ?? 0)} ms, slowest ${Math.round(sorted.at(-1) ?? 0)} ms of ${SINGLES}`;
  return { value: Math.round(sorted[SINGLES / 2] ?? 0), unit: 'ms', note };
}

interface Crowd {
  readonly runtime: Runtime;
  readonly promised: Promised;
  readonly seen: Seen;
  readonly until: (isEnough: () => boolean) => Promise<void>;
}

async function measureMany({ client, cloud, edge }: Site, { runtime, promised, seen, until }: Crowd): Promise<void> {
  const processes = { cloud: cloud.process.pid, agent: edge.process.pid, supervisor: supervisorIn(edge.dir) };
  const cpu = () => Object.values(processes).map(cpuSecondsOf);
  const cpuBefore = cpu();
  const begun = performance.now();
  const many = { gvr: DEPLOYMENTS, namespace: 'default', name: 'many' };
  await client.patch(many, idleDeployment('many', MANY, runtime), { type: 'apply', fieldManager: 'bench' });
  await until(() => count(seen.running) === MANY);
  const used = cpu().map((seconds, index) => {
    return `${Object.keys(processes)[index]} ${round(seconds - (cpuBefore[index] ?? 0), 2)} s`;
  });
  const times = (of: ReadonlyMap<string, number>) =>
    [...of]
      .flatMap(([name, at]) => (isMany(name) ? [Math.round(at - begun)] : []))
      .toSorted((left, right) => left - right);
  const span = (of: ReadonlyMap<string, number>) => `${times(of)[0]} to ${times(of).at(-1)} ms`;
  report(
    { name: `${MANY} pods, apply to the first Running`, value: times(seen.running)[0] ?? 0, unit: 'ms' },
    {
      name: `${MANY} pods, apply to the last Running`,
      value: times(seen.running).at(-1) ?? 0,
      unit: 'ms',
      atMost: promised.manyMs,
      note: `created ${span(seen.created)}, scheduled ${span(seen.scheduled)}; processor time: ${used.join(', ')}`,
    },
  );
  const deleteBegun = performance.now();
  await client.delete(many, { propagationPolicy: 'Background' });
  await until(() => count(seen.deleted) === MANY);
  const gone = [...seen.deleted].flatMap(([name, at]) => (isMany(name) ? [Math.round(at - deleteBegun)] : []));
  report({ name: `${MANY} pods, delete of the Deployment to the last gone`, value: Math.max(...gone), unit: 'ms' });
}

function isMany(name: string): boolean {
  return name.startsWith('many-');
}

function count(of: ReadonlyMap<string, number>): number {
  return [...of.keys()].filter(isMany).length;
}

/** Notes what a watch says; `until` resolves once what it has noted is enough. */
function follow(of: Client, { created, scheduled, running, ready, deleted }: Seen, signal: AbortSignal) {
  let check = () => {};
  const note = ({ type, object }: WatchEvent<Pod>) => {
    if (type === 'BOOKMARK') return;
    const now = performance.now();
    const { name = '' } = object.metadata;
    if (!created.has(name)) created.set(name, now);
    if (object.spec?.nodeName !== undefined && !scheduled.has(name)) scheduled.set(name, now);
    if (object.status?.phase === 'Running' && !running.has(name)) running.set(name, now);
    if (isReady(object) && !ready.has(name)) ready.set(name, now);
    if (type === 'DELETED') deleted.set(name, now);
    check();
  };
  const run = async () => {
    for await (const event of of.watch<Pod>(PODS, { namespace: 'default', signal })) note(event);
  };
  run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  const until = (isEnough: () => boolean) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (isEnough()) resolve();
      };
      check();
    });
  return { until };
}
