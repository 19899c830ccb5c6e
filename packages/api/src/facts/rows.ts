/** The stable resources of Kubernetes 1.36, one line each. What is the same for all has a default in `row()`. */
import type { ResourceRow, Verb } from '../resource.ts';
import { podRelations, to } from './relations.ts';

const ALL: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const NOT_AS_COLLECTION = ALL.filter((verb) => verb !== 'deletecollection');
const READ: readonly Verb[] = ['get', 'list'];
const CREATE: readonly Verb[] = ['create'];

const GENERATION = { tracksGeneration: true };
const CLUSTER = { namespaced: false };
const STATUS = ['status'];
const SCALE_AND_STATUS = ['scale', 'status'];
const SCALE = { specPath: 'spec.replicas', statusPath: 'status.replicas', selectorPath: 'status.selector' };
/** The selector of these is a label selector in spec, which the server writes as text into Scale. */
const SCALE_BY_SPEC = { ...SCALE, selectorPath: 'spec.selector' };

const IN_ALL = { categories: ['all'] };
const EXTENSION = { categories: ['api-extensions'] };

type Facts = Partial<ResourceRow> & { readonly short?: string };
type Line = readonly [plural: string, kind: string, facts?: Facts];

const POD_RELATIONS = podRelations();

const GROUPS: readonly (readonly [group: string, version: string, lines: readonly Line[]])[] = [
  [
    '',
    'v1',
    [
      ['bindings', 'Binding', { verbs: CREATE }],
      ['componentstatuses', 'ComponentStatus', { ...CLUSTER, short: 'cs', verbs: READ }],
      ['configmaps', 'ConfigMap', { short: 'cm' }],
      ['endpoints', 'Endpoints', { short: 'ep' }],
      [
        'events',
        'Event',
        {
          short: 'ev',
          origin: 'edge',
          selectableFields: eventFields('involvedObject', 'reportingComponent', 'source'),
        },
      ],
      ['limitranges', 'LimitRange', { short: 'limits' }],
      [
        'namespaces',
        'Namespace',
        {
          ...CLUSTER,
          short: 'ns',
          verbs: NOT_AS_COLLECTION,
          subresources: ['finalize', 'status'],
          selectableFields: ['status.phase'],
        },
      ],
      [
        'nodes',
        'Node',
        {
          ...CLUSTER,
          short: 'no',
          subresources: ['proxy', 'status'],
          selectableFields: ['spec.unschedulable'],
          nodePath: 'metadata.name',
        },
      ],
      [
        'persistentvolumeclaims',
        'PersistentVolumeClaim',
        { short: 'pvc', subresources: STATUS, relations: [to('', 'persistentvolumes', 'spec.volumeName')] },
      ],
      [
        'persistentvolumes',
        'PersistentVolume',
        {
          ...CLUSTER,
          short: 'pv',
          subresources: STATUS,
          // A node keeps the data of the volumes that are pinned to it, and removes it.
          nodePath: 'spec.nodeAffinity.required.nodeSelectorTerms[].matchExpressions[].values[]',
        },
      ],
      [
        'pods',
        'Pod',
        {
          ...IN_ALL,
          ...GENERATION,
          short: 'po',
          subresources: [
            'attach',
            'binding',
            'ephemeralcontainers',
            'eviction',
            'exec',
            'log',
            'portforward',
            'proxy',
            'resize',
            'status',
          ],
          selectableFields: [
            'spec.nodeName',
            'spec.restartPolicy',
            'spec.schedulerName',
            'spec.serviceAccountName',
            'spec.hostNetwork',
            'status.phase',
            'status.podIP',
            'status.nominatedNodeName',
          ],
          nodePath: 'spec.nodeName',
          relations: POD_RELATIONS,
        },
      ],
      ['podtemplates', 'PodTemplate', GENERATION],
      [
        'replicationcontrollers',
        'ReplicationController',
        {
          ...IN_ALL,
          ...GENERATION,
          short: 'rc',
          subresources: SCALE_AND_STATUS,
          scale: SCALE_BY_SPEC,
          selectableFields: ['status.replicas'],
        },
      ],
      ['resourcequotas', 'ResourceQuota', { short: 'quota', subresources: STATUS }],
      ['secrets', 'Secret', { selectableFields: ['type'] }],
      [
        'serviceaccounts',
        'ServiceAccount',
        {
          short: 'sa',
          subresources: ['token'],
          relations: [to('', 'secrets', 'imagePullSecrets[].name', 'secrets[].name')],
        },
      ],
      [
        'services',
        'Service',
        {
          ...IN_ALL,
          short: 'svc',
          subresources: ['proxy', 'status'],
          selectableFields: ['spec.clusterIP', 'spec.type'],
        },
      ],
    ],
  ],
  ['apiregistration.k8s.io', 'v1', [['apiservices', 'APIService', { ...CLUSTER, ...EXTENSION, subresources: STATUS }]]],
  [
    'apps',
    'v1',
    [
      ['controllerrevisions', 'ControllerRevision'],
      ['daemonsets', 'DaemonSet', { ...IN_ALL, ...GENERATION, short: 'ds', subresources: STATUS }],
      [
        'deployments',
        'Deployment',
        { ...IN_ALL, ...GENERATION, short: 'deploy', subresources: SCALE_AND_STATUS, scale: SCALE_BY_SPEC },
      ],
      [
        'replicasets',
        'ReplicaSet',
        {
          ...IN_ALL,
          ...GENERATION,
          short: 'rs',
          subresources: SCALE_AND_STATUS,
          scale: SCALE_BY_SPEC,
          selectableFields: ['status.replicas'],
        },
      ],
      [
        'statefulsets',
        'StatefulSet',
        { ...IN_ALL, ...GENERATION, short: 'sts', subresources: SCALE_AND_STATUS, scale: SCALE_BY_SPEC },
      ],
    ],
  ],
  [
    'events.k8s.io',
    'v1',
    [
      [
        'events',
        'Event',
        {
          short: 'ev',
          origin: 'edge',
          storageGroup: '',
          selectableFields: eventFields('regarding', 'reportingController'),
        },
      ],
    ],
  ],
  [
    'authentication.k8s.io',
    'v1',
    [
      ['selfsubjectreviews', 'SelfSubjectReview', { ...CLUSTER, verbs: CREATE }],
      ['tokenreviews', 'TokenReview', { ...CLUSTER, verbs: CREATE }],
    ],
  ],
  [
    'authorization.k8s.io',
    'v1',
    [
      ['localsubjectaccessreviews', 'LocalSubjectAccessReview', { verbs: CREATE }],
      ['selfsubjectaccessreviews', 'SelfSubjectAccessReview', { ...CLUSTER, verbs: CREATE }],
      ['selfsubjectrulesreviews', 'SelfSubjectRulesReview', { ...CLUSTER, verbs: CREATE }],
      ['subjectaccessreviews', 'SubjectAccessReview', { ...CLUSTER, verbs: CREATE }],
    ],
  ],
  [
    'autoscaling',
    'v2',
    [['horizontalpodautoscalers', 'HorizontalPodAutoscaler', { ...IN_ALL, short: 'hpa', subresources: STATUS }]],
  ],
  [
    'autoscaling',
    'v1',
    [['horizontalpodautoscalers', 'HorizontalPodAutoscaler', { ...IN_ALL, short: 'hpa', subresources: STATUS }]],
  ],
  [
    'batch',
    'v1',
    [
      ['cronjobs', 'CronJob', { ...IN_ALL, ...GENERATION, short: 'cj', subresources: STATUS }],
      ['jobs', 'Job', { ...IN_ALL, ...GENERATION, subresources: STATUS, selectableFields: ['status.successful'] }],
    ],
  ],
  [
    'certificates.k8s.io',
    'v1',
    [
      [
        'certificatesigningrequests',
        'CertificateSigningRequest',
        { ...CLUSTER, short: 'csr', subresources: ['approval', 'status'], selectableFields: ['spec.signerName'] },
      ],
    ],
  ],
  [
    'networking.k8s.io',
    'v1',
    [
      ['ingressclasses', 'IngressClass', { ...CLUSTER, ...GENERATION }],
      ['ingresses', 'Ingress', { ...GENERATION, short: 'ing', subresources: STATUS }],
      ['ipaddresses', 'IPAddress', { ...CLUSTER, short: 'ip' }],
      ['networkpolicies', 'NetworkPolicy', { ...GENERATION, short: 'netpol' }],
      ['servicecidrs', 'ServiceCIDR', { ...CLUSTER, subresources: STATUS }],
    ],
  ],
  [
    'policy',
    'v1',
    [['poddisruptionbudgets', 'PodDisruptionBudget', { ...GENERATION, short: 'pdb', subresources: STATUS }]],
  ],
  [
    'rbac.authorization.k8s.io',
    'v1',
    [
      ['clusterrolebindings', 'ClusterRoleBinding', CLUSTER],
      ['clusterroles', 'ClusterRole', CLUSTER],
      ['rolebindings', 'RoleBinding'],
      ['roles', 'Role'],
    ],
  ],
  [
    'storage.k8s.io',
    'v1',
    [
      ['csidrivers', 'CSIDriver', { ...CLUSTER, ...GENERATION }],
      ['csinodes', 'CSINode', { ...CLUSTER, nodePath: 'metadata.name' }],
      ['csistoragecapacities', 'CSIStorageCapacity'],
      ['storageclasses', 'StorageClass', { ...CLUSTER, short: 'sc' }],
      ['volumeattachments', 'VolumeAttachment', { ...CLUSTER, subresources: STATUS, nodePath: 'spec.nodeName' }],
      ['volumeattributesclasses', 'VolumeAttributesClass', { ...CLUSTER, short: 'vac' }],
    ],
  ],
  [
    'admissionregistration.k8s.io',
    'v1',
    [
      ['mutatingadmissionpolicies', 'MutatingAdmissionPolicy', { ...CLUSTER, ...EXTENSION, ...GENERATION }],
      [
        'mutatingadmissionpolicybindings',
        'MutatingAdmissionPolicyBinding',
        { ...CLUSTER, ...EXTENSION, ...GENERATION },
      ],
      ['mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', { ...CLUSTER, ...EXTENSION, ...GENERATION }],
      [
        'validatingadmissionpolicies',
        'ValidatingAdmissionPolicy',
        { ...CLUSTER, ...EXTENSION, ...GENERATION, subresources: STATUS },
      ],
      [
        'validatingadmissionpolicybindings',
        'ValidatingAdmissionPolicyBinding',
        { ...CLUSTER, ...EXTENSION, ...GENERATION },
      ],
      [
        'validatingwebhookconfigurations',
        'ValidatingWebhookConfiguration',
        { ...CLUSTER, ...EXTENSION, ...GENERATION },
      ],
    ],
  ],
  [
    'apiextensions.k8s.io',
    'v1',
    [
      [
        'customresourcedefinitions',
        'CustomResourceDefinition',
        { ...CLUSTER, ...EXTENSION, ...GENERATION, shortNames: ['crd', 'crds'], subresources: STATUS },
      ],
    ],
  ],
  ['scheduling.k8s.io', 'v1', [['priorityclasses', 'PriorityClass', { ...CLUSTER, ...GENERATION, short: 'pc' }]]],
  ['coordination.k8s.io', 'v1', [['leases', 'Lease']]],
  ['node.k8s.io', 'v1', [['runtimeclasses', 'RuntimeClass', CLUSTER]]],
  [
    'discovery.k8s.io',
    'v1',
    [['endpointslices', 'EndpointSlice', { ...GENERATION, nodePath: 'endpoints[].nodeName' }]],
  ],
  [
    'resource.k8s.io',
    'v1',
    [
      ['deviceclasses', 'DeviceClass', { ...CLUSTER, ...GENERATION }],
      ['resourceclaims', 'ResourceClaim', { subresources: STATUS }],
      ['resourceclaimtemplates', 'ResourceClaimTemplate'],
      [
        'resourceslices',
        'ResourceSlice',
        { ...CLUSTER, ...GENERATION, selectableFields: ['spec.driver', 'spec.nodeName'], nodePath: 'spec.nodeName' },
      ],
    ],
  ],
  [
    'flowcontrol.apiserver.k8s.io',
    'v1',
    [
      ['flowschemas', 'FlowSchema', { ...CLUSTER, ...GENERATION, subresources: STATUS }],
      [
        'prioritylevelconfigurations',
        'PriorityLevelConfiguration',
        { ...CLUSTER, ...GENERATION, subresources: STATUS },
      ],
    ],
  ],
];

const ROWS: readonly ResourceRow[] = GROUPS.flatMap(([group, version, lines]) =>
  lines.map((line) => row(group, version, line)),
);

export function builtinRows(): readonly ResourceRow[] {
  return ROWS;
}

function row(group: string, version: string, [resource, kind, facts = {}]: Line): ResourceRow {
  const { short, ...rest } = facts;
  return {
    gvr: { group, version, resource },
    gvk: { group, version, kind },
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    namespaced: true,
    shortNames: short === undefined ? [] : [short],
    categories: [],
    verbs: ALL,
    subresources: [],
    selectableFields: [],
    tracksGeneration: false,
    origin: 'cloud',
    edgeWritable: [],
    relations: [],
    ...rest,
  };
}

function eventFields(subject: string, ...more: readonly string[]): string[] {
  const parts = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];
  return [...parts.map((part) => `${subject}.${part}`), 'reason', 'type', ...more];
}
