/** One pod, then 120 pods of one Deployment on one node with the process runtime: from apply to Running, and their deletion. */
import type { KubeObject, WatchEvent } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { report, round } from './support/figures.ts';
import { cpuSecondsOf, supervisorIn } from './support/running.ts';
import { DEPLOYMENTS, idleDeployment, PODS, type Pod, startSite } from './support/site.ts';

const MANY = 120;
const NODE = 'bench';
const SINGLES = 10;

/** When each pod was seen for the first time in each of the states that it goes through, in milliseconds of this process. */
interface Seen {
  readonly created: Map<string, number>;
  readonly scheduled: Map<string, number>;
  readonly running: Map<string, number>;
  readonly deleted: Map<string, number>;
}

await using site = await startSite(NODE);
const { client } = site;
const seen: Seen = { created: new Map(), scheduled: new Map(), running: new Map(), deleted: new Map() };
const stopWatching = new AbortController();
const changed = follow(client, seen, stopWatching.signal);

const singles: number[] = [];
for (let count = 0; count < SINGLES; count++) singles.push(await runOne(`single-${count}`));
const sortedSingles = singles.toSorted((left, right) => left - right);
report({
  name: 'one pod, apply to Running, median',
  value: Math.round(sortedSingles[SINGLES / 2] ?? 0),
  unit: 'ms',
  note: `fastest ${Math.round(sortedSingles[0] ?? 0)} ms, slowest ${Math.round(sortedSingles.at(-1) ?? 0)} ms of ${SINGLES}`,
});

const processes = {
  cloud: site.cloud.process.pid,
  agent: site.edge.process.pid,
  supervisor: supervisorIn(site.edge.dir),
};
const cpuBefore = cpu();
const begun = performance.now();
await client.patch({ gvr: DEPLOYMENTS, namespace: 'default', name: 'many' }, idleDeployment('many', MANY), {
  type: 'apply',
  fieldManager: 'bench',
});
const isMany = (name: string) => name.startsWith('many-');
await changed.until(() => count(seen.running) === MANY);
const cpuAfter = cpu();
const times = (of: ReadonlyMap<string, number>) =>
  [...of]
    .flatMap(([name, at]) => (isMany(name) ? [Math.round(at - begun)] : []))
    .toSorted((left, right) => left - right);
const span = (of: ReadonlyMap<string, number>) => `${times(of)[0]} to ${times(of).at(-1)} ms`;
const used = Object.keys(processes).map((name, index) => {
  return `${name} ${round((cpuAfter[index] ?? 0) - (cpuBefore[index] ?? 0), 2)} s`;
});
report(
  { name: `${MANY} pods, apply to the first Running`, value: times(seen.running)[0] ?? 0, unit: 'ms' },
  {
    name: `${MANY} pods, apply to the last Running`,
    value: times(seen.running).at(-1) ?? 0,
    unit: 'ms',
    atMost: 6000,
    note: `created ${span(seen.created)}, scheduled ${span(seen.scheduled)}; processor time: ${used.join(', ')}`,
  },
);

const deleteBegun = performance.now();
await client.delete({ gvr: DEPLOYMENTS, namespace: 'default', name: 'many' }, { propagationPolicy: 'Background' });
await changed.until(() => count(seen.deleted) === MANY);
const gone = [...seen.deleted].flatMap(([name, at]) => (isMany(name) ? [Math.round(at - deleteBegun)] : []));
report({ name: `${MANY} pods, delete of the Deployment to the last gone`, value: Math.max(...gone), unit: 'ms' });
stopWatching.abort();

async function runOne(name: string): Promise<number> {
  const [pod] = [idleDeployment(name, 1)['spec'] as { template: { spec: object } }];
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: pod?.template.spec };
  const startedAt = performance.now();
  await client.create(PODS, object as KubeObject);
  await changed.until(() => seen.running.has(name));
  return (seen.running.get(name) ?? 0) - startedAt;
}

function count(of: ReadonlyMap<string, number>): number {
  return [...of.keys()].filter(isMany).length;
}

function cpu(): readonly number[] {
  return Object.values(processes).map(cpuSecondsOf);
}

/** Notes what a watch says; `until` resolves once what it has noted is enough. */
function follow(of: Client, { created, scheduled, running, deleted }: Seen, signal: AbortSignal) {
  let check = () => {};
  const note = ({ type, object }: WatchEvent<Pod>) => {
    if (type === 'BOOKMARK') return;
    const now = performance.now();
    const { name = '' } = object.metadata;
    if (!created.has(name)) created.set(name, now);
    if (object.spec?.nodeName !== undefined && !scheduled.has(name)) scheduled.set(name, now);
    if (object.status?.phase === 'Running' && !running.has(name)) running.set(name, now);
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
