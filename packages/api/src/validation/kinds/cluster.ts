/** Nodes, leases, classes, budgets and volumes. */
import { type JsonObject, jsonEqual, objectAt, textAt } from '../../json.ts';
import { compareQuantity } from '../../quantity.ts';
import { forbidden, invalid, required } from '../../walker/field-errors.ts';
import { checkDnsLabel, checkQualifiedName } from '../names.ts';
import { checkAutoscaler } from './autoscaler.ts';
import { atLeast, countOrPercent, type Faults, isAbsent, named, oneOf, present, problems } from './checks.ts';
import { eventRules } from './event.ts';
import { immutable, type KindRules } from './rules.ts';
import { checkTaints } from './scheduling.ts';
import { checkSelector } from './selectors.ts';

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export const clusterRules: Readonly<Record<string, KindRules>> = {
  '/Node': {
    check: (faults, node) => checkTaints(faults, 'spec.taints', objectAt(node, 'spec')['taints']),
    update: checkNodeUpdate,
  },
  '/Namespace': { check: checkNamespace },
  ...eventRules,
  'coordination.k8s.io/Lease': { check: checkLease },
  'scheduling.k8s.io/PriorityClass': { check: checkPriorityClass, update: checkPriorityClassUpdate },
  'node.k8s.io/RuntimeClass': {
    check: (faults, runtime) => named(faults, 'handler', runtime['handler'], checkDnsLabel),
    update: immutable('handler'),
  },
  'policy/PodDisruptionBudget': { check: checkBudget },
  'autoscaling/HorizontalPodAutoscaler': { check: checkAutoscaler },
  '/PersistentVolumeClaim': { check: checkClaim, update: checkClaimUpdate },
  '/PersistentVolume': { check: checkVolume },
};

/** An address range and a provider, once given, stay. */
function checkNodeUpdate(faults: Faults, node: JsonObject, old: JsonObject): void {
  for (const field of ['podCIDR', 'podCIDRs', 'providerID']) {
    const before = objectAt(old, 'spec')[field];
    const wanted = objectAt(node, 'spec')[field];
    if (!isAbsent(before) && !jsonEqual(before, wanted)) {
      faults.push(forbidden(`spec.${field}`, 'node updates may not change it once it is set'));
    }
  }
}

function checkNamespace(faults: Faults, namespace: JsonObject): void {
  const { finalizers } = objectAt(namespace, 'spec');
  if (!Array.isArray(finalizers)) return;
  for (const finalizer of finalizers) {
    problems(faults, 'spec.finalizers', finalizer, checkQualifiedName(String(finalizer)));
  }
}

function checkLease(faults: Faults, lease: JsonObject): void {
  const spec = objectAt(lease, 'spec');
  atLeast(faults, 'spec.leaseDurationSeconds', spec['leaseDurationSeconds'], 1);
  atLeast(faults, 'spec.leaseTransitions', spec['leaseTransitions'], 0);
  if (spec['holderIdentity'] === '') faults.push(invalid('spec.holderIdentity', '', 'must not be empty'));
}

function checkPriorityClass(faults: Faults, priority: JsonObject): void {
  const { value, preemptionPolicy } = priority;
  const name = textAt(priority, 'metadata', 'name');
  const isSystem = name === 'system-cluster-critical' || name === 'system-node-critical';
  if (name.startsWith('system-') && !isSystem) {
    faults.push(
      forbidden('metadata.name', "priority class names with 'system-' prefix are reserved for system use only"),
    );
  }
  if (typeof value === 'number' && value > HIGHEST_USER_PRIORITY && !isSystem) {
    faults.push(forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
  }
  oneOf(faults, 'preemptionPolicy', preemptionPolicy, ['Never', 'PreemptLowerPriority']);
}

function checkPriorityClassUpdate(faults: Faults, priority: JsonObject, old: JsonObject): void {
  if (priority['value'] !== old['value']) faults.push(forbidden('value', 'may not be changed in an update.'));
  if (priority['preemptionPolicy'] !== old['preemptionPolicy']) {
    faults.push(invalid('preemptionPolicy', priority['preemptionPolicy'] ?? null, 'field is immutable'));
  }
}

function checkBudget(faults: Faults, budget: JsonObject): void {
  const { minAvailable, maxUnavailable, selector } = objectAt(budget, 'spec');
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    faults.push(
      invalid('spec', { minAvailable, maxUnavailable }, 'minAvailable and maxUnavailable cannot be both set'),
    );
  }
  countOrPercent(faults, 'spec.minAvailable', minAvailable);
  countOrPercent(faults, 'spec.maxUnavailable', maxUnavailable);
  checkSelector(faults, 'spec.selector', selector);
}

function checkAccessModes(faults: Faults, spec: JsonObject): void {
  const modes = spec['accessModes'];
  if (!Array.isArray(modes) || modes.length === 0) faults.push(required('spec.accessModes'));
  else for (const [index, mode] of modes.entries()) oneOf(faults, `spec.accessModes[${index}]`, mode, ACCESS_MODES);
}

function checkClaim(faults: Faults, claim: JsonObject): void {
  const spec = objectAt(claim, 'spec');
  checkAccessModes(faults, spec);
  present(faults, 'spec.resources[storage]', objectAt(spec, 'resources', 'requests')['storage']);
  checkSelector(faults, 'spec.selector', spec['selector']);
}

/** Once it is bound it may grow; before that it gets the class and the volume that it did not name. */
function checkClaimUpdate(faults: Faults, claim: JsonObject, old: JsonObject): void {
  const isBound = textAt(old, 'status', 'phase') === 'Bound';
  const [before, wanted] = [objectAt(old, 'spec'), objectAt(claim, 'spec')];
  const comparable = (spec: JsonObject) => ({
    ...spec,
    ...(isAbsent(before['volumeName']) ? { volumeName: null } : {}),
    ...(before['storageClassName'] === undefined ? { storageClassName: null } : {}),
    ...(isBound ? { resources: null } : {}),
    volumeAttributesClassName: null,
  });
  if (!jsonEqual(comparable(before), comparable(wanted))) {
    const what =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    faults.push(forbidden('spec', what));
  }
  const [size, least] = [storageOf(wanted), storageOf(before)];
  if (size !== undefined && least !== undefined && compareQuantity(size, least) < 0) {
    faults.push(forbidden('spec.resources.requests.storage', 'field can not be less than previous value'));
  }
}

function storageOf(spec: JsonObject): string | undefined {
  const { storage } = objectAt(spec, 'resources', 'requests');
  return typeof storage === 'string' ? storage : undefined;
}

function checkVolume(faults: Faults, volume: JsonObject): void {
  const spec = objectAt(volume, 'spec');
  checkAccessModes(faults, spec);
  if (objectAt(spec, 'capacity')['storage'] === undefined) faults.push(required('spec.capacity'));
  oneOf(faults, 'spec.persistentVolumeReclaimPolicy', spec['persistentVolumeReclaimPolicy'], [
    'Delete',
    'Recycle',
    'Retain',
  ]);
}
