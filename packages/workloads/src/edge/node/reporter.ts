/** Keeps the Node object and its lease: what the node is and has, whether it is well, that it lives. */
import { isDeepStrictEqual } from 'node:util';
import { isStatus, type KubeObject } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { startInformer } from '@skerry/kube/controller';
import type { Pressure } from '../eviction/pressure.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import { findAccelerators } from './accelerators.ts';
import { allocatableOf, capacityOf, type Reserved } from './capacity.ts';
import { type NodeCondition, type NodeFact, nodeConditions, runtimeHealth } from './conditions.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { readHostUsage } from './host-usage.ts';
import { eventsOf, nodeReference, startEvents } from './node-events.ts';
import { type NodeImage, nodeImages } from './node-images.ts';

const NODES = { group: '', version: 'v1', resource: 'nodes' } as const;
const LEASES = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' } as const;
const LEASE_NAMESPACE = 'kube-node-lease';

const STATUS_MS = 10_000;
/** A quarrel over the status is no busy loop. */
const SHORTEST_ROUND_MS = 500;
/** An unchanged status is written this often all the same. */
const UNCHANGED_STATUS_MS = 300_000;
const DEFAULT_LEASE_MS = 40_000;
/** How often a lease is renewed in its time, so that a lost renewal or two do no harm. */
const RENEWALS_PER_LEASE = 4;
const RETRY: BackoffPolicy = { baseMs: 200, capMs: 7000 };
const DEFAULT_MAX_PODS = 250;
const RUNTIME_LABEL = 'runtime.skerry.io/';

export interface NodeReporterOptions {
  /** Of the nearest API. */
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtimes: RuntimeSet;
  readonly nodeIps: () => readonly string[];
  /** Its file system is the node's: disk pressure and ephemeral storage are measured there. */
  readonly directory: string;
  /** As in `nodeInfo.kubeletVersion`. */
  readonly version: string;
  /** Set at registration; what others set stays. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly maxPods?: number;
  /** How long the node's lease says that it lives; renewed four times in that time. */
  readonly leaseMs?: number;
  /** Kept from pods, for the system and as what eviction keeps free; shares are of the capacity. */
  readonly reserved?: Reserved;
  /** Where logs and exec of this node are answered; absent: through the link. */
  readonly daemonPort?: number;
  /** What the node runs short of; absent: of nothing. */
  readonly pressure?: PressureSource;
  /** Tells people how the node fares; absent: nobody is told. */
  readonly recorder?: Recorder;
  /** Whether Services and cluster names work here. */
  readonly services?: () => NodeFact;
  readonly isReady?: () => { readonly isReady: boolean; readonly message: string };
  /** Where /proc, /sys and /etc are looked for. */
  readonly root?: string;
  readonly bootIdFile?: string;
}

export interface PressureSource {
  readonly pressures: ReadonlySet<Pressure>;
  onChange(listener: () => void): Disposable;
}

export interface NodeReporter {
  /** Registers the node and keeps it current until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  allocatable(): Readonly<Record<string, string>>;
}

interface NodeObject extends KubeObject {
  spec?: object;
  status?: { readonly conditions?: readonly NodeCondition[]; readonly [field: string]: unknown };
}

export function createNodeReporter(options: NodeReporterOptions): NodeReporter {
  const root = options.root ?? '/';
  const facts = readHostFacts(root, options.bootIdFile);
  const accelerators = findAccelerators(root);
  const { directory, maxPods = DEFAULT_MAX_PODS, reserved = {} } = options;
  const capacity = capacityOf(
    { usage: readHostUsage(directory, root), cpus: facts.cpus, maxPods },
    accelerators.resources,
  );
  const allocatable = allocatableOf(capacity, reserved);
  const labels = () => ({ ...labelsOf(options, facts), ...accelerators.labels, ...options.labels });
  const statusAt = (known: readonly NodeCondition[]) => statusOf(options, { facts, capacity, allocatable }, known);
  return {
    allocatable: () => allocatable,
    run: async (signal) => {
      await Promise.all([keepNode(options, labels, statusAt, signal), keepLease(options, signal)]);
    },
  };
}

type StatusAt = (known: readonly NodeCondition[]) => NodeObject['status'] & object;

async function keepNode(
  options: NodeReporterOptions,
  labels: () => Readonly<Record<string, string>>,
  statusAt: StatusAt,
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, nodeName } = options;
  const ref = { gvr: NODES, name: nodeName };
  let node = await retrying(options, signal, 'node not registered', () => register(options, labels(), statusAt));
  if (node !== undefined) tellStart(options, node);
  // What others say of this node, such as the cloud that has missed it, is looked at when it comes and not at the next round.
  const changed = followNode(options, signal);
  using _arrivals = options.runtimes.onArrival(changed.wake);
  using _pressure = options.pressure?.onChange(changed.wake);
  let writtenAt = Number.NEGATIVE_INFINITY;
  let told: readonly NodeCondition[] = [];
  while (!signal.aborted && node !== undefined) {
    // The API's own view: what the cloud has said of this node meanwhile is compared, too.
    const current: NodeObject | undefined = await client.get<NodeObject>(ref).catch(() => undefined);
    node = current ?? node;
    await correctLabels(options, node, labels());
    const images = await imagesOf(options, node);
    const status = { ...statusAt(node.status?.conditions ?? []), ...images };
    told = tell(options, told, status.conditions ?? []);
    const isDue = clock.monotonic() - writtenAt >= UNCHANGED_STATUS_MS;
    if (isDue || !isSameStatus(node.status, status)) {
      await writeStatus(options, node, status);
      writtenAt = clock.monotonic();
    }
    await clock.sleep(SHORTEST_ROUND_MS, signal).catch(() => {});
    await clock.sleep(STATUS_MS - SHORTEST_ROUND_MS, AbortSignal.any([signal, changed.next()])).catch(() => {});
  }
}

/** Nothing is said of images where there are none and none were told of. */
async function imagesOf(
  { runtimes }: NodeReporterOptions,
  { status }: NodeObject,
): Promise<{ readonly images?: readonly NodeImage[] }> {
  const images = await nodeImages(runtimes.serving);
  return images.length === 0 && status?.['images'] === undefined ? {} : { images };
}

function tellStart({ recorder, nodeName, bootIdFile, root }: NodeReporterOptions, { status }: NodeObject): void {
  const { bootID } = (status?.['nodeInfo'] ?? {}) as { readonly bootID?: string };
  for (const { type, reason, message } of startEvents(nodeName, bootID, readHostFacts(root, bootIdFile).bootId)) {
    recorder?.event(nodeReference(nodeName), type, reason, message);
  }
}

function tell(
  { recorder, nodeName }: NodeReporterOptions,
  before: readonly NodeCondition[],
  now: readonly NodeCondition[],
): readonly NodeCondition[] {
  for (const { type, reason, message } of eventsOf(nodeName, before, now)) {
    recorder?.event(nodeReference(nodeName), type, reason, message);
  }
  return now;
}

/** `next` gives a signal that aborts at the first change of the node, or `wake`, since the last call. */
function followNode(
  { client, clock, log, nodeName }: NodeReporterOptions,
  signal: AbortSignal,
): { readonly next: () => AbortSignal; readonly wake: () => void } {
  const node = startInformer(
    { client, clock, log, signal },
    { gvr: NODES, fieldSelector: `metadata.name=${nodeName}` },
  );
  let waiting = new AbortController();
  let isNext = false;
  const wake = () => {
    isNext = true;
    waiting.abort();
  };
  node.onChange(wake);
  return {
    wake,
    next: () => {
      if (isNext) {
        isNext = false;
        return AbortSignal.abort();
      }
      waiting = new AbortController();
      return waiting.signal;
    },
  };
}

async function register(
  { client, nodeName, taints }: NodeReporterOptions,
  labels: Readonly<Record<string, string>>,
  statusAt: StatusAt,
): Promise<NodeObject> {
  const ref = { gvr: NODES, name: nodeName };
  try {
    const known = await client.get<NodeObject>(ref);
    const missing = missingLabels(known, labels, () => true);
    if (missing === undefined) return known;
    return await client.patch<NodeObject>(ref, { metadata: { labels: missing } }, { type: 'merge' });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
  return client.create<NodeObject>(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName, labels: { ...labels } },
    spec: taints === undefined ? {} : { taints },
    status: statusAt([]),
  });
}

/** As runtimes come and go. Other labels are said once, when the node registers: what people change stays as they like it. */
async function correctLabels(
  { client, nodeName, log }: NodeReporterOptions,
  node: NodeObject,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const missing = missingLabels(node, labels, (name) => name.startsWith(RUNTIME_LABEL));
  if (missing === undefined) return;
  try {
    await client.patch({ gvr: NODES, name: nodeName }, { metadata: { labels: missing } }, { type: 'merge' });
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'node labels not written');
  }
}

/** What to merge into the labels; undefined when nothing is missing. */
function missingLabels(
  { metadata: { labels: known = {} } }: NodeObject,
  labels: Readonly<Record<string, string>>,
  isMeant: (name: string) => boolean,
): Readonly<Record<string, string | null>> | undefined {
  const missing: [string, string | null][] = Object.entries(labels).filter(
    ([name, value]) => isMeant(name) && known[name] !== value,
  );
  // A runtime that is no longer here must not draw pods.
  for (const name of Object.keys(known)) {
    if (name.startsWith(RUNTIME_LABEL) && !(name in labels)) missing.push([name, null]);
  }
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}

async function writeStatus(
  { client, nodeName, log }: NodeReporterOptions,
  node: NodeObject,
  status: NodeObject['status'] & object,
): Promise<void> {
  const { conditions = [], addresses, ...rest } = status;
  const hasAddresses = isDeepStrictEqual(node.status?.['addresses'], addresses);
  // A strategic patch merges addresses by type; replaced as a whole, an address that went is gone.
  const patch = {
    status: {
      ...rest,
      conditions,
      ...(hasAddresses ? {} : { addresses: [...(addresses as unknown[]), { $patch: 'replace' }] }),
    },
  };
  try {
    await client.patch({ gvr: NODES, name: nodeName }, patch, { type: 'strategic', subresource: 'status' });
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'node status not written');
  }
}

/** Heartbeats alone are no change: the lease says that the node lives. */
function isSameStatus(current: NodeObject['status'], wanted: NodeObject['status']): boolean {
  const plain = (status: NodeObject['status']) => ({
    ...status,
    conditions: status?.conditions?.map(({ lastHeartbeatTime: _dropped, ...condition }) => condition),
  });
  const [mine, theirs] = [plain(wanted), plain(current)];
  const sameFields = Object.entries(mine).every(
    ([field, value]) => field === 'conditions' || isDeepStrictEqual(value, (theirs as Record<string, unknown>)[field]),
  );
  const known = theirs.conditions ?? [];
  return (
    sameFields &&
    (mine.conditions ?? []).every((condition) =>
      isDeepStrictEqual(
        condition,
        known.find(({ type }) => type === condition.type),
      ),
    )
  );
}

function statusOf(
  { clock, nodeIps, nodeName, isReady, services, pressure, runtimes, version, daemonPort }: NodeReporterOptions,
  {
    facts,
    capacity,
    allocatable,
  }: { facts: HostFacts; capacity: Record<string, string>; allocatable: Record<string, string> },
  known: readonly NodeCondition[],
): NodeObject['status'] & object {
  const ready = isReady?.() ?? { isReady: true, message: 'kubelet is posting ready status' };
  return {
    capacity,
    allocatable,
    conditions: nodeConditions(
      pressure?.pressures ?? new Set(),
      ready,
      [...healthOf(runtimes), ...(services === undefined ? [] : [services()])],
      known,
      clock.now(),
    ),
    addresses: [
      ...nodeIps().map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: nodeName },
    ],
    ...(daemonPort === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: daemonPort } } }),
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.systemUuid,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: runtimes.serving[0].version,
      kubeletVersion: version,
      kubeProxyVersion: version,
      operatingSystem: 'linux',
      architecture: facts.architecture,
    },
  };
}

/** Processes need no runtime that could be silent. */
function healthOf({ known, serving }: RuntimeSet): readonly NodeFact[] {
  const containers = known.filter((runtime) => runtime.isServing !== undefined);
  const silent = containers.filter((runtime) => !serving.includes(runtime));
  return runtimeHealth(
    containers.map(({ name }) => name),
    silent.map(({ name }) => name),
  );
}

function labelsOf({ nodeName, runtimes }: NodeReporterOptions, { architecture }: HostFacts): Record<string, string> {
  return {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/arch': architecture,
    'kubernetes.io/os': 'linux',
    'skerry.io/edge': 'true',
    ...Object.fromEntries(runtimes.serving.map(({ name }) => [`${RUNTIME_LABEL}${name}`, 'true'])),
  };
}

async function keepLease(options: NodeReporterOptions, signal: AbortSignal): Promise<void> {
  const { clock, leaseMs = DEFAULT_LEASE_MS } = options;
  while (!signal.aborted) {
    await retrying(options, signal, 'node lease not renewed', () => renewLease(options));
    await clock.sleep(leaseMs / RENEWALS_PER_LEASE, signal).catch(() => {});
  }
}

async function renewLease({ client, nodeName, clock, leaseMs = DEFAULT_LEASE_MS }: NodeReporterOptions): Promise<void> {
  const ref = { gvr: LEASES, namespace: LEASE_NAMESPACE, name: nodeName };
  const spec = {
    holderIdentity: nodeName,
    leaseDurationSeconds: Math.ceil(leaseMs / 1000),
    renewTime: new Date(clock.now()).toISOString().replace('Z', '000Z'),
  };
  try {
    const node = await client.get<NodeObject>({ gvr: NODES, name: nodeName });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: node.metadata.uid }];
    await client.patch(ref, { metadata: { ownerReferences }, spec }, { type: 'merge' });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
    // Its owner comes with the first renewal: a node that has just registered may not have the uid yet that the cloud
    // gives it, and a lease whose owner does not exist is collected.
    const metadata = { name: nodeName, namespace: LEASE_NAMESPACE };
    await client.create(LEASES, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
  }
}

/** Undefined only when `signal` aborts first. */
async function retrying<T>(
  { clock, log }: NodeReporterOptions,
  signal: AbortSignal,
  message: string,
  attemptOnce: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await attemptOnce();
    } catch (error) {
      log.debug({ attempt, error: messageOf(error) }, message);
      await clock.sleep(backoffDelay(RETRY, attempt) + RETRY.baseMs, signal).catch(() => {});
    }
  }
  return undefined;
}
