/** NodeRestriction: what a node's write must not contain, decided with the object in hand. Admission calls it after authorization. */
import type { KubeObject, UserInfo } from '@skerry/api';
import { drawnResource, podRelations } from '@skerry/api/facts';
import { nodeOf } from './node-name.ts';

export interface NodeWrite {
  readonly user: UserInfo;
  readonly verb: 'create' | 'update' | 'patch' | 'delete';
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name: string;
  readonly namespace?: string;
  /** As it will be; for `pods/eviction` and `serviceaccounts/token` the posted body. Absent for a deletion. */
  readonly object?: KubeObject;
  /** As it is; absent for a creation. */
  readonly old?: KubeObject;
}

export interface NodeRestrictionOptions {
  readonly getPod: (namespace: string, name: string) => KubeObject | undefined;
}

/** Labels a node may set on itself, besides those outside of our own and Kubernetes' domains. */
const OWN_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'skerry.io/edge',
]);
const OWN_LABEL_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io', 'runtime.skerry.io', 'hardware.skerry.io'];
/** Labels below these decide where things are placed or what they may see: an administrator's business. */
const GUARDED_DOMAINS = ['kubernetes.io', 'k8s.io', 'skerry.io'];

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const LEASE_NAMESPACE = 'kube-node-lease';

/** Why the write is refused; nothing when it may go on, or the user is no node. */
export function nodeRestriction(write: NodeWrite, options: NodeRestrictionOptions): string | undefined {
  const node = nodeOf(write.user);
  if (node === undefined) return undefined;
  switch (`${write.group}/${write.resource}`) {
    case '/nodes':
      return restrictNode(node, write);
    case '/pods':
      return restrictPod(node, write, options);
    case 'coordination.k8s.io/leases':
      return restrictLease(node, write);
    case 'storage.k8s.io/csinodes':
      return write.name === node ? undefined : `node "${node}" is not allowed to write CSINode "${write.name}"`;
    case '/serviceaccounts':
      return write.subresource === 'token' ? restrictToken(node, write, options) : undefined;
    default:
      return undefined;
  }
}

function restrictNode(node: string, { name, verb, object, old }: NodeWrite): string | undefined {
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`;
  if (verb === 'delete') return `node "${node}" is not allowed to delete itself`;
  const label = changedKeys(old?.metadata.labels, object?.metadata.labels).find((key) => !isOwnLabel(key));
  if (label !== undefined) return `node "${node}" is not allowed to set or change label ${label}`;
  if (old && !isSame(field(old, 'spec', 'taints'), field(object, 'spec', 'taints'))) {
    return `node "${node}" is not allowed to modify taints`;
  }
  const hasOwners = !isSame(old?.metadata.ownerReferences ?? [], object?.metadata.ownerReferences ?? []);
  return hasOwners ? `node "${node}" is not allowed to modify its owner references` : undefined;
}

function isOwnLabel(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0 || OWN_LABELS.has(key)) return true;
  const domain = key.slice(0, slash);
  const isIn = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  return OWN_LABEL_DOMAINS.some(isIn) || !GUARDED_DOMAINS.some(isIn);
}

function restrictPod(node: string, write: NodeWrite, { getPod }: NodeRestrictionOptions): string | undefined {
  const { subresource, verb, object, name, namespace = '' } = write;
  if (subresource === 'eviction') return restrictOther(node, getPod(namespace, name), 'evict');
  if (subresource === 'status') return restrictPodStatus(node, write);
  if (verb === 'create') return restrictMirrorPod(node, object);
  if (verb === 'delete') return restrictOther(node, write.old ?? getPod(namespace, name), 'delete');
  return `node "${node}" may only update the status of pods`;
}

function restrictOther(node: string, pod: KubeObject | undefined, verb: string): string | undefined {
  // A pod that is gone is answered with NotFound further on.
  if (!pod || field(pod, 'spec', 'nodeName') === node) return undefined;
  return `node "${node}" can only ${verb} pods with spec.nodeName set to itself`;
}

function restrictPodStatus(node: string, { old, object }: NodeWrite): string | undefined {
  if (!old || field(old, 'spec', 'nodeName') !== node) {
    return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
  }
  return isSame(old.metadata.labels ?? {}, object?.metadata.labels ?? {})
    ? undefined
    : `node "${node}" cannot update labels through pod status`;
}

function restrictMirrorPod(node: string, pod: KubeObject | undefined): string | undefined {
  if (pod?.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) return `node "${node}" can only create mirror pods`;
  if (field(pod, 'spec', 'nodeName') !== node)
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.some(({ kind, name }) => kind !== 'Node' || name !== node))
    return `node "${node}" can only own its mirror pods itself`;
  if (field(pod, 'spec', 'serviceAccountName') || field(pod, 'spec', 'serviceAccount'))
    return `node "${node}" can not create pods that reference a service account`;
  const reference = findReference(pod);
  return reference === undefined ? undefined : `node "${node}" can not create pods that reference ${reference}`;
}

/** A mirror pod that named a secret would make that secret concern the node: the same relations say what it must not name. */
function findReference(pod: KubeObject): string | undefined {
  return drawnResource(pod, podRelations()) ?? (hasTokenVolume(pod) ? 'service account tokens' : undefined);
}

function hasTokenVolume(pod: KubeObject): boolean {
  const volumes = (field(pod, 'spec', 'volumes') ?? []) as readonly PodVolume[];
  return volumes.some((volume) => volume?.projected?.sources?.some((source) => source?.serviceAccountToken != null));
}

interface PodVolume {
  readonly projected?: { readonly sources?: readonly ({ readonly serviceAccountToken?: unknown } | null)[] };
}

function restrictLease(node: string, { namespace, name }: NodeWrite): string | undefined {
  if (namespace === LEASE_NAMESPACE && name === node) return undefined;
  return `node "${node}" can only access lease "${LEASE_NAMESPACE}/${node}"`;
}

function restrictToken(
  node: string,
  { object, namespace = '', name }: NodeWrite,
  { getPod }: NodeRestrictionOptions,
): string | undefined {
  const bound = field(object, 'spec', 'boundObjectRef') as { kind?: string; name?: string; uid?: string } | undefined;
  if (bound?.kind !== 'Pod' || !bound.name || !bound.uid)
    return `node "${node}" may only request tokens bound to a pod`;
  const pod = getPod(namespace, bound.name);
  const isOwn =
    pod?.metadata.uid === bound.uid &&
    field(pod, 'spec', 'nodeName') === node &&
    (field(pod, 'spec', 'serviceAccountName') ?? 'default') === name;
  return isOwn
    ? undefined
    : `node "${node}" requested a token bound to a pod that is not its own or uses another account`;
}

function changedKeys(before: Record<string, string> = {}, after: Record<string, string> = {}): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);
}

function field(object: KubeObject | undefined, part: 'spec', name: string): unknown {
  return (object?.[part] as Record<string, unknown> | undefined)?.[name];
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? []) === JSON.stringify(b ?? []);
}
