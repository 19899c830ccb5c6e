/** Defaults of the kinds that are neither pods nor workloads. */
import { cloneJson, isObject, type JsonObject, objectsAt, setMember } from '../../json.ts';
import { addQuantity } from '../../quantity.ts';
import { all, type Defaulter, facts, fill, within } from './facts.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

const roleBinding: Defaulter = all(facts(['roleRef.apiGroup', RBAC_GROUP]), within('subjects[]', subjectGroup));

const webhook = facts(
  ['failurePolicy', 'Fail'],
  ['matchPolicy', 'Equivalent'],
  ['namespaceSelector', {}],
  ['objectSelector', {}],
  ['timeoutSeconds', 10],
  ['rules[].scope', '*'],
  ['clientConfig.service.port', 443],
);

const matching = facts(
  ['matchPolicy', 'Equivalent'],
  ['namespaceSelector', {}],
  ['objectSelector', {}],
  ['resourceRules[].scope', '*'],
  ['excludeResourceRules[].scope', '*'],
);

const admissionPolicy = all(facts(['spec.failurePolicy', 'Fail']), within('spec.matchConstraints', matching));
const admissionBinding = within('spec.matchResources', matching);

const event = facts(['type', 'Normal']);

export const otherDefaults: Readonly<Record<string, Defaulter>> = {
  '/Service': all(within('spec', serviceSpec), facts(['status', {}], ['status.loadBalancer', {}])),
  '/Secret': all(stringData, facts(['type', 'Opaque'])),
  '/Namespace': namespaceLabel,
  '/Node': nodeAllocatable,
  '/Event': event,
  '/Endpoints': facts(['subsets[].ports[].protocol', 'TCP']),
  '/PersistentVolume': facts(
    ['spec.persistentVolumeReclaimPolicy', 'Retain'],
    ['spec.volumeMode', 'Filesystem'],
    ['spec.hostPath.type', ''],
    ['status', {}],
    ['status.phase', 'Pending'],
  ),
  '/PersistentVolumeClaim': facts(['spec.volumeMode', 'Filesystem'], ['status', {}], ['status.phase', 'Pending']),
  '/LimitRange': within('spec.limits[]', limitRangeItem),
  'discovery.k8s.io/EndpointSlice': facts(['ports[].name', ''], ['ports[].protocol', 'TCP']),
  'scheduling.k8s.io/PriorityClass': facts(['preemptionPolicy', 'PreemptLowerPriority']),
  'rbac.authorization.k8s.io/RoleBinding': roleBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': roleBinding,
  'networking.k8s.io/NetworkPolicy': all(
    within('spec', policyTypes),
    facts(['spec.ingress[].ports[].protocol', 'TCP'], ['spec.egress[].ports[].protocol', 'TCP']),
  ),
  'autoscaling/HorizontalPodAutoscaler': all(facts(['spec.minReplicas', 1]), autoscalerOfV2),
  'storage.k8s.io/StorageClass': facts(['reclaimPolicy', 'Delete'], ['volumeBindingMode', 'Immediate']),
  'storage.k8s.io/CSIDriver': facts(
    ['spec.attachRequired', true],
    ['spec.podInfoOnMount', false],
    ['spec.storageCapacity', false],
    ['spec.fsGroupPolicy', 'ReadWriteOnceWithFSType'],
    ['spec.volumeLifecycleModes', ['Persistent']],
    ['spec.requiresRepublish', false],
    ['spec.seLinuxMount', false],
  ),
  'apiextensions.k8s.io/CustomResourceDefinition': all(
    within('spec', definitionNames),
    facts(['spec.conversion', {}], ['spec.conversion.strategy', 'None']),
    facts(['spec.conversion.webhook.clientConfig.service.port', 443]),
  ),
  'apiregistration.k8s.io/APIService': facts(['spec.service.port', 443]),
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': within('webhooks[]', webhook),
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': within(
    'webhooks[]',
    all(webhook, facts(['reinvocationPolicy', 'Never'])),
  ),
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': admissionPolicy,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': admissionBinding,
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': admissionPolicy,
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': admissionBinding,
};

const CPU_OF_80_PERCENT = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};
const TWICE_AS_MANY = { type: 'Percent', value: 100, periodSeconds: 15 };
const FOUR_MORE = { type: 'Pods', value: 4, periodSeconds: 15 };

/** What v1 has no fields for. */
function autoscalerOfV2(autoscaler: JsonObject): void {
  const { spec } = autoscaler;
  if (autoscaler['apiVersion'] !== 'autoscaling/v2' || !isObject(spec)) return;
  if (!Array.isArray(spec['metrics']) || spec['metrics'].length === 0)
    setMember(spec, 'metrics', [cloneJson(CPU_OF_80_PERCENT)]);
  facts(
    ['behavior.scaleUp', {}],
    ['behavior.scaleUp.stabilizationWindowSeconds', 0],
    ['behavior.scaleUp.selectPolicy', 'Max'],
    ['behavior.scaleUp.policies', [FOUR_MORE, TWICE_AS_MANY]],
    ['behavior.scaleDown', {}],
    ['behavior.scaleDown.selectPolicy', 'Max'],
    ['behavior.scaleDown.policies', [TWICE_AS_MANY]],
  )(spec);
}

function serviceSpec(spec: JsonObject): void {
  fill(spec, 'type', 'ClusterIP');
  fill(spec, 'sessionAffinity', 'None');
  const { type } = spec;
  if (spec['sessionAffinity'] === 'ClientIP') {
    fill(spec, 'sessionAffinityConfig', {});
    facts(['sessionAffinityConfig.clientIP', {}], ['sessionAffinityConfig.clientIP.timeoutSeconds', 10_800])(spec);
  }
  for (const port of objectsAt(spec, 'ports')) {
    fill(port, 'protocol', 'TCP');
    fill(port, 'targetPort', port['port']);
  }
  if (type === 'ExternalName') return;
  fill(spec, 'internalTrafficPolicy', 'Cluster');
  fill(spec, 'ipFamilies', ['IPv4']);
  fill(spec, 'ipFamilyPolicy', 'SingleStack');
  if (typeof spec['clusterIP'] === 'string' && spec['clusterIP'] !== '') fill(spec, 'clusterIPs', [spec['clusterIP']]);
  if (type !== 'NodePort' && type !== 'LoadBalancer') return;
  fill(spec, 'externalTrafficPolicy', 'Cluster');
  if (type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true);
}

/** `stringData` is for writers only: it is folded into `data` and never read back. */
function stringData(secret: JsonObject): void {
  const plain = secret['stringData'];
  if (!isObject(plain)) return;
  const data = isObject(secret['data']) ? { ...secret['data'] } : {};
  for (const [key, value] of Object.entries(plain)) setMember(data, key, toBase64(String(value)));
  delete secret['stringData'];
  if (Object.keys(data).length > 0) secret['data'] = data;
}

function toBase64(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}

/** So that a namespace can be selected by its name. */
function namespaceLabel(namespace: JsonObject): void {
  const { metadata } = namespace;
  if (!isObject(metadata) || typeof metadata['name'] !== 'string' || metadata['name'] === '') return;
  const labels = isObject(metadata['labels']) ? metadata['labels'] : {};
  if (labels['kubernetes.io/metadata.name'] === metadata['name']) return;
  metadata['labels'] = { ...labels, 'kubernetes.io/metadata.name': metadata['name'] };
}

function nodeAllocatable(node: JsonObject): void {
  const { status } = node;
  if (isObject(status) && isObject(status['capacity'])) fill(status, 'allocatable', status['capacity']);
}

function subjectGroup(subject: JsonObject): void {
  if (subject['kind'] === 'User' || subject['kind'] === 'Group') fill(subject, 'apiGroup', RBAC_GROUP);
}

function policyTypes(spec: JsonObject): void {
  const hasEgress = objectsAt(spec, 'egress').length > 0;
  fill(spec, 'policyTypes', hasEgress ? ['Ingress', 'Egress'] : ['Ingress']);
}

/** What is missing of default and default request of a container follows from what is there. */
function limitRangeItem(item: JsonObject): void {
  if (item['type'] !== 'Container') return;
  fillQuantities(item, 'default', 'max');
  fillQuantities(item, 'defaultRequest', 'default');
  fillQuantities(item, 'defaultRequest', 'min');
}

function fillQuantities(item: JsonObject, field: string, source: string): void {
  const from = item[source];
  if (!isObject(from)) return;
  fill(item, field, {});
  const target = item[field];
  if (isObject(target)) for (const [name, value] of Object.entries(from)) fill(target, name, addQuantity(value, 0));
}

function definitionNames(spec: JsonObject): void {
  const { names } = spec;
  if (!isObject(names) || typeof names['kind'] !== 'string') return;
  fill(names, 'singular', names['kind'].toLowerCase());
  fill(names, 'listKind', `${names['kind']}List`);
}
