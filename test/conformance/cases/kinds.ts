/** Kinds of which Kubernetes demands their verbs: an object each that is accepted, and what its status may say. */
import { crud, type KindPlan } from '../crud.ts';
import type { Lab } from '../lab.ts';
import type { Requirement } from '../requirement.ts';

const TIME = '2026-01-02T03:04:05Z';
const CONDITION = { type: 'Tried', status: 'True', reason: 'Case', message: 'by the suite', lastTransitionTime: TIME };
const CONTAINERS = { containers: [{ name: 'main', image: 'busybox:1.36' }] };
const MATCH_DEPLOYMENTS = {
  resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }],
};
/** So that a policy of the suite is about nothing else. */
const ofCase = (lab: Lab) => ({
  ...MATCH_DEPLOYMENTS,
  namespaceSelector: { matchLabels: { conformance: lab.id } },
});

const PLANS: Readonly<Record<string, KindPlan>> = {
  '[sig-api-machinery] API priority and fairness should support FlowSchema API operations': {
    kind: 'FlowSchema',
    body: {
      spec: {
        matchingPrecedence: 10_000,
        priorityLevelConfiguration: { name: 'global-default' },
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'nobody-of-the-suite' } }],
            nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/of-the-suite'] }],
          },
        ],
      },
    },
    patch: [{ spec: { matchingPrecedence: 9_999 } }, 'spec.matchingPrecedence', 9_999],
    status: { conditions: [CONDITION] },
  },
  '[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations': {
    kind: 'PriorityLevelConfiguration',
    body: {
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
    },
    patch: [{ spec: { limited: { nominalConcurrencyShares: 4 } } }, 'spec.limited.nominalConcurrencyShares', 4],
    status: { conditions: [CONDITION] },
  },
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations':
    {
      kind: 'MutatingAdmissionPolicy',
      body: (lab) => ({
        spec: {
          failurePolicy: 'Fail',
          reinvocationPolicy: 'Never',
          matchConstraints: ofCase(lab),
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: { expression: 'Object{spec: Object.spec{replicas: 2}}' },
            },
          ],
        },
      }),
      patch: [{ spec: { failurePolicy: 'Ignore' } }, 'spec.failurePolicy', 'Ignore'],
    },
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicyBinding API operations':
    {
      kind: 'MutatingAdmissionPolicyBinding',
      body: { spec: { policyName: 'of-the-suite', matchResources: MATCH_DEPLOYMENTS } },
      patch: [{ spec: { policyName: 'other-of-the-suite' } }, 'spec.policyName', 'other-of-the-suite'],
    },
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations':
    {
      kind: 'ValidatingAdmissionPolicy',
      body: (lab) => ({
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: ofCase(lab),
          validations: [{ expression: 'object.spec.replicas <= 1' }],
        },
      }),
      patch: [{ spec: { failurePolicy: 'Ignore' } }, 'spec.failurePolicy', 'Ignore'],
      status: { conditions: [CONDITION] },
    },
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations':
    {
      kind: 'ValidatingAdmissionPolicyBinding',
      body: { spec: { policyName: 'of-the-suite', validationActions: ['Deny'] } },
      patch: [{ spec: { validationActions: ['Warn'] } }, 'spec.validationActions', ['Warn']],
    },
  '[sig-apps] CronJob should support CronJob API operations': {
    kind: 'CronJob',
    body: {
      spec: {
        schedule: '1 1 1 1 *',
        concurrencyPolicy: 'Allow',
        jobTemplate: { spec: { template: { spec: { ...CONTAINERS, restartPolicy: 'Never' } } } },
      },
    },
    patch: [{ spec: { suspend: true } }, 'spec.suspend', true],
    status: { lastScheduleTime: TIME },
  },
  '[sig-network] EndpointSlice should support creating EndpointSlice API operations': {
    kind: 'EndpointSlice',
    body: {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }],
      ports: [{ name: 'example', protocol: 'TCP', port: 80 }],
    },
    patch: [{ endpoints: [{ addresses: ['2.2.3.4'] }] }, 'endpoints.0.addresses', ['2.2.3.4']],
  },
  '[sig-network] Ingress API should support creating Ingress API operations': {
    kind: 'Ingress',
    body: { spec: { defaultBackend: { service: { name: 'default-backend', port: { number: 80 } } } } },
    patch: [{ spec: { ingressClassName: 'of-the-suite' } }, 'spec.ingressClassName', 'of-the-suite'],
    status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
  },
  '[sig-network] IngressClass API should support creating IngressClass API operations': {
    kind: 'IngressClass',
    body: { spec: { controller: 'example.com/controller' } },
    patch: [{ spec: { parameters: { kind: 'Values', name: 'v', scope: 'Cluster' } } }, 'spec.parameters.name', 'v'],
  },
  '[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations': {
    kind: 'IPAddress',
    // Of a network for documentation, so that no Service has it.
    nameOf: (lab, index) => `198.51.${Number.parseInt(lab.id.slice(0, 2), 16)}.${index + 1}`,
    body: { spec: { parentRef: { group: '', resource: 'services', namespace: 'default', name: 'of-the-suite' } } },
  },
  '[sig-node] ConfigMap should run through a ConfigMap lifecycle': {
    kind: 'ConfigMap',
    body: { data: { value: 'first' } },
    patch: [{ data: { value: 'second' } }, 'data.value', 'second'],
  },
  '[sig-node] Lease lease API should be available': {
    kind: 'Lease',
    body: {
      spec: {
        holderIdentity: 'holder',
        leaseDurationSeconds: 30,
        acquireTime: '2026-01-02T03:04:05.000006Z',
        leaseTransitions: 0,
      },
    },
    patch: [{ spec: { leaseTransitions: 1 } }, 'spec.leaseTransitions', 1],
  },
  '[sig-node] Node Lifecycle should run through the lifecycle of a node': {
    kind: 'Node',
    // Else the controllers of a cluster that knows its machines would remove it.
    body: { spec: { unschedulable: true } },
    patch: [{ spec: { podCIDR: '10.250.0.0/24', podCIDRs: ['10.250.0.0/24'] } }, 'spec.podCIDR', '10.250.0.0/24'],
    status: { conditions: [{ ...CONDITION, lastHeartbeatTime: TIME }] },
  },
  '[sig-node] PodTemplates should run the lifecycle of PodTemplates': {
    kind: 'PodTemplate',
    body: { template: { metadata: { labels: { a: 'b' } }, spec: CONTAINERS } },
    patch: [{ template: { metadata: { labels: { a: 'c' } } } }, 'template.metadata.labels.a', 'c'],
  },
  '[sig-node] RuntimeClass should support RuntimeClasses API operations': {
    kind: 'RuntimeClass',
    body: { handler: 'of-the-suite' },
    patch: [{ overhead: { podFixed: { cpu: '10m' } } }, 'overhead.podFixed.cpu', '10m'],
  },
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass': {
    kind: 'DeviceClass',
    body: { spec: { selectors: [{ cel: { expression: 'device.driver == "driver.example.com"' } }] } },
  },
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim': {
    kind: 'ResourceClaim',
    body: { spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'of-the-suite' } }] } } },
    status: { allocation: { devices: {} } },
  },
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate': {
    kind: 'ResourceClaimTemplate',
    body: {
      spec: { spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'of-the-suite' } }] } } },
    },
  },
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice': {
    kind: 'ResourceSlice',
    body: (_lab, name) => ({
      spec: { driver: 'driver.example.com', nodeName: name, pool: { name, generation: 1, resourceSliceCount: 1 } },
    }),
    patch: [{ spec: { pool: { generation: 2 } } }, 'spec.pool.generation', 2],
  },
  '[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver': {
    kind: 'CSIDriver',
    body: { spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral'] } },
    patch: [{ spec: { requiresRepublish: true } }, 'spec.requiresRepublish', true],
  },
  '[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode': {
    kind: 'CSINode',
    body: { spec: { drivers: [] } },
    patch: [
      { spec: { drivers: [{ name: 'driver.example.com', nodeID: 'n' }] } },
      'spec.drivers.0.name',
      'driver.example.com',
    ],
  },
  '[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations': {
    kind: 'CSIStorageCapacity',
    body: { storageClassName: 'of-the-suite' },
    patch: [{ capacity: '1Gi' }, 'capacity', '1Gi'],
  },
  '[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass': {
    kind: 'StorageClass',
    body: { provisioner: 'example.com/provisioner' },
    patch: [{ allowVolumeExpansion: true }, 'allowVolumeExpansion', true],
  },
  '[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status': volumeAttachment(),
  '[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment':
    volumeAttachment(),
  '[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass':
    { kind: 'VolumeAttributesClass', body: { driverName: 'driver.example.com', parameters: { a: 'b' } } },
};

function volumeAttachment(): KindPlan {
  return {
    kind: 'VolumeAttachment',
    body: (_lab, name) => ({
      spec: { attacher: 'driver.example.com', nodeName: name, source: { persistentVolumeName: name } },
    }),
    status: { attached: true },
  };
}

export const KIND_CASES: readonly Requirement[] = Object.entries(PLANS).map(([name, plan]) => crud(name, plan));
