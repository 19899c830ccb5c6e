/** `skerry node list|show|revoke`. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { Lease, Node } from '@skerry/api/types';
import type { HttpClient } from '@skerry/kube/client';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatAge, formatFacts, formatJson, formatTable } from '../output.ts';

export interface NodeFlags extends ConnectionFlags {
  readonly output?: 'json';
}

const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
const LEASES: Gvr = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };

const NODE_IDENTITIES: Gvr = { group: 'security.skerry.io', version: 'v1alpha1', resource: 'nodeidentities' };

/** What the commands say of a node; `-o json` prints it as it is. */
export interface NodeSummary {
  readonly name: string;
  readonly status: string;
  readonly edge: boolean;
  readonly pool?: string;
  readonly site?: string;
  readonly architecture: string;
  readonly os: string;
  readonly agent: string;
  readonly runtimes: readonly string[];
  readonly address: string;
  readonly joined: string;
  readonly lastHeartbeat?: string;
  readonly taints: readonly string[];
}

export async function listNodes(context: CliContext, flags: NodeFlags): Promise<void> {
  using client = await connect(context, flags);
  const { items } = await client.list<Node>(NODES);
  const nodes = items.map(summarize);
  if (flags.output === 'json') context.print(formatJson(nodes));
  else if (nodes.length === 0)
    context.say("skerry: no node has joined yet; 'skerry token create --node NAME' makes a token for one\n");
  else context.print(nodeTable(nodes, context.clock.now()));
}

function nodeTable(nodes: readonly NodeSummary[], now: number): string {
  const rows = nodes.map((node) => [
    node.name,
    node.status,
    node.pool ?? '-',
    node.architecture,
    node.address,
    node.agent,
    formatAge(Date.parse(node.joined), now),
  ]);
  return formatTable(['NAME', 'STATUS', 'POOL', 'ARCH', 'ADDRESS', 'AGENT', 'AGE'], rows);
}

export async function showNode(context: CliContext, name: string, flags: NodeFlags): Promise<void> {
  using client = await connect(context, flags);
  const node = { ...summarize(await client.get<Node>({ gvr: NODES, name })), ...(await leaseTime(client, name)) };
  const pods = await podNames(client, name);
  if (flags.output === 'json') {
    context.print(formatJson({ ...node, pods }));
    return;
  }
  const age = (time: string) => `${time} (${formatAge(Date.parse(time), context.clock.now())} ago)`;
  context.print(
    formatFacts([
      ['Name', node.name],
      ['Status', node.status],
      ['Edge', node.edge ? 'yes' : 'no'],
      ['Pool', node.pool ?? 'none'],
      ['Site', node.site ?? 'none'],
      ['System', `${node.os}/${node.architecture}`],
      ['Runtimes', node.runtimes.join(', ') || 'none'],
      ['Address', node.address],
      ['Agent', node.agent],
      ['Joined', age(node.joined)],
      ['Last heartbeat', node.lastHeartbeat === undefined ? 'never' : age(node.lastHeartbeat)],
      ['Taints', node.taints.join(', ') || 'none'],
      ['Pods', pods.join(', ') || 'none'],
    ]),
  );
}

/** The lease is renewed far more often than a status that does not change. */
async function leaseTime(client: HttpClient, name: string): Promise<{ readonly lastHeartbeat?: string }> {
  try {
    const { spec } = await client.get<Lease>({ gvr: LEASES, namespace: 'kube-node-lease', name });
    return spec?.renewTime === undefined ? {} : { lastHeartbeat: spec.renewTime };
  } catch (error) {
    if (isStatus(error, 'NotFound')) return {};
    throw error;
  }
}

/** A node that renews or connects in this very moment moves its identity on under us. */
const REVOKE_ATTEMPTS = 10;

/** The cloud closes the node's sessions as soon as it sees the mark, and takes no certificate issued before it. */
export async function revokeNode(context: CliContext, name: string, flags: NodeFlags): Promise<void> {
  using client = await connect(context, flags);
  await mustHaveJoined(client, name);
  for (let left = REVOKE_ATTEMPTS; left > 0; left--) if (await tryRevoke(context, client, name, left === 1)) break;
  context.say(
    `skerry: ${name} is revoked; to let it in again, join it with a new token ('skerry token create --node ${name}')\n`,
  );
}

/**
 * Revokes up to the newest certificate, by the time that the cloud gave it: this machine's clock may be wrong, and would then
 * revoke nothing. Invariant: the mark is written only onto the identity that was read, so no newer certificate slips by.
 */
async function tryRevoke(context: CliContext, client: HttpClient, name: string, isLast: boolean): Promise<boolean> {
  const ref = { gvr: NODE_IDENTITIES, name };
  const known = await findIdentity(client, name);
  const newest = known?.status?.renewedAt ?? new Date(context.clock.now()).toISOString();
  const revokedBefore = later(newest, known?.spec?.revokedBefore);
  const resourceVersion = known?.metadata.resourceVersion;
  const identity = {
    apiVersion: 'security.skerry.io/v1alpha1',
    kind: 'NodeIdentity',
    metadata: { name, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    spec: { revokedBefore },
  };
  try {
    await client.patch(ref, identity, { type: 'apply', fieldManager: 'skerry', force: true });
    return true;
  } catch (error) {
    if (isLast || !isStatus(error, 'Conflict')) throw error;
    return false;
  }
}

async function findIdentity(client: HttpClient, name: string): Promise<NodeIdentity | undefined> {
  try {
    return await client.get<NodeIdentity>({ gvr: NODE_IDENTITIES, name });
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

interface NodeIdentity extends KubeObject {
  readonly spec?: { readonly revokedBefore?: string };
  readonly status?: { readonly renewedAt?: string };
}

/** A mark that is there already does not go back; the cloud would refuse it. */
function later(time: string, mark: string | undefined): string {
  return mark !== undefined && Date.parse(mark) > Date.parse(time) ? mark : time;
}

/** A name mistyped would be revoked as well, and the node that was meant would stay. */
async function mustHaveJoined(client: HttpClient, name: string): Promise<void> {
  try {
    await client.get({ gvr: NODE_IDENTITIES, name });
  } catch (cause) {
    if (!isStatus(cause, 'NotFound')) throw cause;
    const problem = "no node of this name has joined; 'skerry node list' shows those that have";
    throw cliErrors.INVALID_ARGUMENT({ argument: name, problem }, { cause });
  }
}

async function podNames(client: HttpClient, node: string): Promise<readonly string[]> {
  const pods = { group: '', version: 'v1', resource: 'pods' };
  const { items } = await client.list(pods, { fieldSelector: `spec.nodeName=${node}` });
  return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

function summarize(node: Node): NodeSummary {
  const labels = node.metadata.labels ?? {};
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  const info = node.status?.nodeInfo;
  const pool = labels['apps.skerry.io/pool'];
  const site = labels['skerry.io/site'];
  return {
    name: node.metadata.name ?? '',
    status: statusOf(node, ready?.status),
    edge: labels['skerry.io/edge'] === 'true',
    ...(pool === undefined ? {} : { pool }),
    ...(site === undefined ? {} : { site }),
    architecture: info?.architecture ?? 'unknown',
    os: info?.operatingSystem ?? 'unknown',
    agent: info?.kubeletVersion ?? 'unknown',
    runtimes: Object.keys(labels).flatMap((label) => (label.startsWith('runtime.skerry.io/') ? [label.slice(18)] : [])),
    address: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '-',
    joined: node.metadata.creationTimestamp ?? '',
    ...(ready?.lastHeartbeatTime === undefined ? {} : { lastHeartbeat: ready.lastHeartbeatTime }),
    taints: (node.spec?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`),
  };
}

function statusOf(node: Node, ready: string | undefined): string {
  const words = [ready === 'True' ? 'Ready' : ready === 'False' ? 'NotReady' : 'Unknown'];
  if (node.spec?.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}
