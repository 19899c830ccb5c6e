/** Nodes, namespaces, events, configuration, access and storage. */
import { at, isObject, type JsonObject, numberAt, objectAt, objectsAt, textAt } from '../json.ts';
import { ageOf } from './duration.ts';
import {
  AGE,
  type CellReader,
  CREATED_AT,
  column,
  describe,
  integer,
  joinOrNone,
  NAME,
  number,
  type Printer,
  printer,
  size,
  text,
  wide,
} from './printer.ts';

const ROLE_LABEL = 'node-role.kubernetes.io/';
const ROLE_LABEL_OLD = 'kubernetes.io/role';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

const eventPrinter = printer(
  column('Last Seen', lastSeen),
  column('Type', text('type')),
  column('Reason', text('reason')),
  column('Object', eventObject),
  wide('Subobject', (event) => textAt(subject(event), 'fieldPath')),
  wide('Source', eventSource),
  column('Message', (event) => (textAt(event, 'message') || textAt(event, 'note')).trim()),
  wide('First Seen', firstSeen),
  { column: describe('Count', 'integer', 1), read: eventCount },
  { column: { ...NAME.column, priority: 1 }, read: NAME.read },
);

const bindingPrinter = printer(
  NAME,
  column('Role', (binding) => `${textAt(binding, 'roleRef', 'kind')}/${textAt(binding, 'roleRef', 'name')}`),
  AGE,
  wide('Users', subjects('User')),
  wide('Groups', subjects('Group')),
  wide('ServiceAccounts', subjects('ServiceAccount')),
);

const webhookPrinter = printer(NAME, integer('Webhooks', size('webhooks')), AGE);

export const clusterPrinters: Readonly<Record<string, Printer>> = {
  '/Node': printer(
    NAME,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    AGE,
    column('Version', text('status.nodeInfo.kubeletVersion')),
    wide('Internal-IP', nodeAddress('InternalIP')),
    wide('External-IP', nodeAddress('ExternalIP')),
    wide('OS-Image', text('status.nodeInfo.osImage', '<unknown>')),
    wide('Kernel-Version', text('status.nodeInfo.kernelVersion', '<unknown>')),
    wide('Container-Runtime', text('status.nodeInfo.containerRuntimeVersion', '<unknown>')),
  ),
  '/Namespace': printer(NAME, column('Status', text('status.phase')), AGE),
  '/Event': eventPrinter,
  'events.k8s.io/Event': eventPrinter,
  '/ConfigMap': printer(NAME, integer('Data', size('data', 'binaryData')), AGE),
  '/Secret': printer(NAME, column('Type', text('type')), integer('Data', size('data')), AGE),
  '/ServiceAccount': printer(NAME, integer('Secrets', size('secrets')), AGE),
  '/ResourceQuota': printer(NAME, column('Request', quotaUsage(false)), column('Limit', quotaUsage(true)), AGE),
  '/LimitRange': printer(NAME, CREATED_AT),
  '/PersistentVolume': printer(
    NAME,
    column('Capacity', text('spec.capacity.storage')),
    column('Access Modes', accessModes('spec')),
    column('Reclaim Policy', text('spec.persistentVolumeReclaimPolicy')),
    column('Status', phaseOrTerminating),
    column('Claim', (volume) =>
      at(volume, 'spec', 'claimRef') === undefined
        ? ''
        : `${textAt(volume, 'spec', 'claimRef', 'namespace')}/${textAt(volume, 'spec', 'claimRef', 'name')}`,
    ),
    column('StorageClass', text('spec.storageClassName')),
    column('VolumeAttributesClass', text('spec.volumeAttributesClassName', '<unset>')),
    column('Reason', text('status.reason')),
    AGE,
    wide('VolumeMode', text('spec.volumeMode', '<unset>')),
  ),
  '/PersistentVolumeClaim': printer(
    NAME,
    column('Status', phaseOrTerminating),
    column('Volume', text('spec.volumeName')),
    column('Capacity', (claim) =>
      textAt(claim, 'spec', 'volumeName') === '' ? '' : textAt(claim, 'status', 'capacity', 'storage'),
    ),
    column('Access Modes', accessModes('status')),
    column('StorageClass', text('spec.storageClassName')),
    column('VolumeAttributesClass', text('spec.volumeAttributesClassName', '<unset>')),
    AGE,
    wide('VolumeMode', text('spec.volumeMode', '<unset>')),
  ),
  'storage.k8s.io/StorageClass': printer(
    { column: NAME.column, read: classNameWithDefault },
    column('Provisioner', text('provisioner')),
    column('ReclaimPolicy', text('reclaimPolicy', 'Delete')),
    column('VolumeBindingMode', text('volumeBindingMode', 'Immediate')),
    column('AllowVolumeExpansion', (storage) => storage['allowVolumeExpansion'] === true, 'string'),
    AGE,
  ),
  'coordination.k8s.io/Lease': printer(NAME, column('Holder', text('spec.holderIdentity')), AGE),
  'scheduling.k8s.io/PriorityClass': printer(
    NAME,
    integer('Value', number('value')),
    column('Global-Default', (priority) => priority['globalDefault'] === true, 'boolean'),
    AGE,
    column('PreemptionPolicy', text('preemptionPolicy')),
  ),
  'node.k8s.io/RuntimeClass': printer(NAME, column('Handler', text('handler')), AGE),
  'rbac.authorization.k8s.io/Role': printer(NAME, CREATED_AT),
  'rbac.authorization.k8s.io/ClusterRole': printer(NAME, CREATED_AT),
  'rbac.authorization.k8s.io/RoleBinding': bindingPrinter,
  'rbac.authorization.k8s.io/ClusterRoleBinding': bindingPrinter,
  'certificates.k8s.io/CertificateSigningRequest': printer(
    NAME,
    AGE,
    column('SignerName', text('spec.signerName', '<none>')),
    column('Requestor', text('spec.username')),
    column('RequestedDuration', requestedDuration),
    column('Condition', signingCondition),
  ),
  'apiextensions.k8s.io/CustomResourceDefinition': printer(NAME, CREATED_AT),
  'apiregistration.k8s.io/APIService': printer(
    NAME,
    column('Service', (service) => {
      const name = textAt(service, 'spec', 'service', 'name');
      return name === '' ? 'Local' : `${textAt(service, 'spec', 'service', 'namespace')}/${name}`;
    }),
    column('Available', apiAvailable),
    AGE,
  ),
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': webhookPrinter,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': webhookPrinter,
};

function nodeStatus(node: JsonObject): string {
  const ready = objectsAt(node, 'status', 'conditions').find((condition) => condition['type'] === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return at(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles(node: JsonObject): string {
  const roles = Object.entries(objectAt(node, 'metadata', 'labels')).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_LABEL) && key !== ROLE_LABEL) return [key.slice(ROLE_LABEL.length)];
    return key === ROLE_LABEL_OLD && value !== '' ? [String(value)] : [];
  });
  return joinOrNone([...new Set(roles)].sort());
}

function nodeAddress(type: string): CellReader {
  return (node) => {
    const found = objectsAt(node, 'status', 'addresses').find((address) => address['type'] === type);
    return textAt(found, 'address') || '<none>';
  };
}

function subject(event: JsonObject): JsonObject {
  return isObject(event['involvedObject']) ? event['involvedObject'] : objectAt(event, 'regarding');
}

function eventObject(event: JsonObject): string {
  const of = subject(event);
  const kind = textAt(of, 'kind').toLowerCase();
  const name = textAt(of, 'name');
  return name === '' ? kind : `${kind}/${name}`;
}

function eventSource(event: JsonObject): string {
  const component =
    textAt(event, 'source', 'component') || textAt(event, 'reportingComponent') || textAt(event, 'reportingController');
  const host = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance');
  return host === '' ? component : `${component}, ${host}`;
}

function firstTime(event: JsonObject): string {
  return textAt(event, 'firstTimestamp') || textAt(event, 'deprecatedFirstTimestamp') || textAt(event, 'eventTime');
}

function firstSeen(event: JsonObject, now: number): string {
  return ageOf(firstTime(event), now);
}

function lastSeen(event: JsonObject, now: number): string {
  const last =
    textAt(event, 'series', 'lastObservedTime') ||
    textAt(event, 'lastTimestamp') ||
    textAt(event, 'deprecatedLastTimestamp') ||
    firstTime(event);
  return ageOf(last, now);
}

function eventCount(event: JsonObject): number {
  return numberAt(event, 'series', 'count') || numberAt(event, 'count') || numberAt(event, 'deprecatedCount') || 1;
}

function subjects(kind: string): CellReader {
  return (binding) =>
    objectsAt(binding, 'subjects')
      .filter((one) => one['kind'] === kind)
      .map((one) =>
        kind === 'ServiceAccount' ? `${textAt(one, 'namespace')}/${textAt(one, 'name')}` : textAt(one, 'name'),
      )
      .join(', ');
}

function quotaUsage(isLimit: boolean): CellReader {
  return (quota) =>
    Object.entries(objectAt(quota, 'status', 'hard'))
      .filter(([name]) => name.startsWith('limits.') === isLimit)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, hard]) => `${name}: ${textAt(quota, 'status', 'used', name) || '0'}/${String(hard)}`)
      .join(', ');
}

const ACCESS_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(where: string): CellReader {
  return (object) => {
    const modes = at(object, where, 'accessModes');
    return Array.isArray(modes) ? modes.map((mode) => ACCESS_MODES[String(mode)] ?? String(mode)).join(',') : '';
  };
}

function phaseOrTerminating(object: JsonObject): string {
  return at(object, 'metadata', 'deletionTimestamp') === undefined ? textAt(object, 'status', 'phase') : 'Terminating';
}

function classNameWithDefault(storage: JsonObject): string {
  const isDefault = textAt(storage, 'metadata', 'annotations', DEFAULT_CLASS) === 'true';
  return `${textAt(storage, 'metadata', 'name')}${isDefault ? ' (default)' : ''}`;
}

function requestedDuration(request: JsonObject): string {
  const seconds = at(request, 'spec', 'expirationSeconds');
  return typeof seconds === 'number' ? ageOf(new Date(0).toISOString(), seconds * 1000) : '<none>';
}

function signingCondition(request: JsonObject): string {
  const types = objectsAt(request, 'status', 'conditions').map((condition) => textAt(condition, 'type'));
  const word = ['Denied', 'Approved'].find((type) => types.includes(type)) ?? 'Pending';
  const suffixes = [
    ...(types.includes('Failed') ? ['Failed'] : []),
    ...(textAt(request, 'status', 'certificate') === '' ? [] : ['Issued']),
  ];
  return [word, ...suffixes].join(',');
}

function apiAvailable(service: JsonObject): string {
  const found = objectsAt(service, 'status', 'conditions').find((condition) => condition['type'] === 'Available');
  if (found === undefined) return 'Unknown';
  const status = textAt(found, 'status');
  return status === 'True' ? status : `${status} (${textAt(found, 'reason')})`;
}
