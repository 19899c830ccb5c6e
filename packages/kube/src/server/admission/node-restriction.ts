/** A node writes about itself and about its own pods, and nothing that would draw more to it. */
import type { KubeObject, UserInfo } from '@skerry/api';
import { drawnResource } from '@skerry/api/facts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../engine.ts';
import { jsonEqual } from '../json-equal.ts';
import { forbidden } from '../statuses.ts';
import { isFor, isMirror, lookUp, specOf } from './lookup.ts';

const NODES_GROUP = 'system:nodes';
const NODE_PREFIX = 'system:node:';

/** The node that a user is; undefined for everybody else. */
export function nodeNameOf({ username, groups }: UserInfo): string | undefined {
  if (!groups.includes(NODES_GROUP) || !username.startsWith(NODE_PREFIX)) return undefined;
  return username.slice(NODE_PREFIX.length);
}

export const nodeRestriction: AdmissionStep = {
  name: 'NodeRestriction',
  admit: (engine, admitted) => {
    const node = nodeNameOf(admitted.user);
    if (node === undefined) return;
    if (isFor(admitted, '', 'nodes')) restrictNode(node, admitted);
    else if (isFor(admitted, '', 'pods')) restrictPod(engine, node, admitted);
    else if (isFor(admitted, 'coordination.k8s.io', 'leases')) restrictLease(node, admitted);
    else if (isFor(admitted, '', 'serviceaccounts')) refuse(admitted, 'a node may not write service accounts');
    if (admitted.subresource === undefined) restrictReferences(node, admitted);
    if (admitted.subresource === 'status') keepAllButOwnStatus(admitted);
  },
};

function restrictNode(node: string, admitted: Admitted): void {
  const { name, object, old, operation, subresource } = admitted;
  if (name !== node) refuse(admitted, `node "${node}" is not allowed to modify node "${name}"`);
  if (operation === 'DELETE') return;
  const changed = changedLabels(old, object).filter(isProtectedLabel(old === undefined));
  if (changed.length > 0) {
    refuse(admitted, `is not allowed to modify labels: ${changed.sort().join(', ')}`);
  }
  if (old === undefined || subresource === 'status') return;
  const taintsOf = (one: KubeObject) => (one['spec'] as { taints?: unknown } | undefined)?.taints ?? [];
  if (!jsonEqual(taintsOf(old), taintsOf(object))) refuse(admitted, `node "${node}" is not allowed to modify taints`);
}

function changedLabels(old: KubeObject | undefined, object: KubeObject): string[] {
  const before = old?.metadata.labels ?? {};
  const after = object.metadata.labels ?? {};
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);
}

const RESTRICTED = 'node-restriction.kubernetes.io';

/** Labels of Kubernetes that a node may say of itself. */
const OWN_LABELS = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
]);
const OWN_DOMAINS = ['node.kubernetes.io', 'kubelet.kubernetes.io', 'runtime.skerry.io', 'hardware.skerry.io'];

/** Where objects are placed goes by these: a node says them once, when it registers, and never again. */
const PLACEMENT_LABELS = new Set(['apps.skerry.io/pool', 'skerry.io/site', 'skerry.io/edge']);

function isProtectedLabel(isNew: boolean): (key: string) => boolean {
  return (key) => {
    if (PLACEMENT_LABELS.has(key)) return !isNew;
    const slash = key.indexOf('/');
    const domain = slash < 0 ? '' : key.slice(0, slash);
    if (isWithin(domain, RESTRICTED)) return true;
    if (!isWithin(domain, 'kubernetes.io') && !isWithin(domain, 'k8s.io') && !isWithin(domain, 'skerry.io'))
      return false;
    return !OWN_LABELS.has(key) && !OWN_DOMAINS.some((own) => isWithin(domain, own));
  };
}

function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}

function restrictPod(engine: Engine, node: string, admitted: Admitted): void {
  const { operation, subresource, object, old } = admitted;
  if (operation === 'CREATE') {
    restrictMirror(node, admitted);
    return;
  }
  const current = old ?? lookUp(engine, '', 'pods', admitted) ?? object;
  if (specOf(current).nodeName !== node) {
    refuse(admitted, `node "${node}" can only ${operation.toLowerCase()} pods with spec.nodeName set to itself`);
  }
  if (operation === 'UPDATE' && subresource !== 'status') {
    refuse(admitted, `node "${node}" may only update the status of pods`);
  }
  if (old !== undefined && !jsonEqual(old.metadata.labels ?? {}, object.metadata.labels ?? {})) {
    refuse(admitted, `node "${node}" cannot update labels through pod status`);
  }
}

function restrictMirror(node: string, admitted: Admitted): void {
  const { object } = admitted;
  const { nodeName, volumes = [], serviceAccountName, serviceAccount } = specOf(object);
  if (!isMirror(object))
    refuse(
      admitted,
      `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`,
    );
  if (nodeName !== node) refuse(admitted, `node "${node}" can only create pods with spec.nodeName set to itself`);
  const isAccount = Boolean(serviceAccountName) || Boolean(serviceAccount);
  if (isAccount || volumes.some((volume) => 'projected' in volume)) {
    refuse(admitted, `node "${node}" can not create pods that reference other objects`);
  }
}

/** What a node makes must not draw to it what it may not read: the relations that would, by which the kind's row goes. */
function restrictReferences(node: string, admitted: Admitted): void {
  const { kind, object, operation } = admitted;
  if (operation !== 'CREATE') return;
  const drawn = drawnResource(object, kind.row.relations);
  if (drawn !== undefined)
    refuse(admitted, `node "${node}" can not create ${kind.row.gvr.resource} that reference ${drawn}`);
}

/** By way of a status a node changes neither what an object is called and held by, nor where it is placed. */
function keepAllButOwnStatus({ kind, object, old }: Admitted): void {
  if (old === undefined) return;
  const { resourceVersion: _, ...metadata } = old.metadata;
  const { managedFields = metadata.managedFields } = object.metadata;
  object.metadata = { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) };
  const [part, field] = (kind.row.nodePath ?? '').replace('[]', '').split('.');
  if (part !== 'status' || field === undefined) return;
  const { [field]: nodes } = (old['status'] ?? {}) as Record<string, unknown>;
  const { [field]: _dropped, ...status } = (object['status'] ?? {}) as Record<string, unknown>;
  object['status'] = nodes === undefined ? status : { ...status, [field]: nodes };
}

function restrictLease(node: string, admitted: Admitted): void {
  const { namespace, name } = admitted;
  if (namespace !== 'kube-node-lease')
    refuse(admitted, 'can only access leases in the "kube-node-lease" system namespace');
  if (name !== node) refuse(admitted, `can only access node lease with the same name as the requesting node`);
}

function refuse({ kind, name }: Admitted, why: string): never {
  throw forbidden(groupResource(kind), name, why);
}
