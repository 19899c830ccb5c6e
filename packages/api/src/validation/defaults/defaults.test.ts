import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyKindDefaults } from './index.ts';

function check(type: string, body: Record<string, unknown>, expected: Record<string, unknown>): void {
  const [group = '', kind = ''] = type.split('/');
  const object = { apiVersion: 'v1', kind, metadata: { name: 'a' }, ...structuredClone(body) };
  applyKindDefaults({ group, kind }, object);
  const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = object;
  assert.deepEqual('metadata' in expected ? { metadata: object.metadata, ...rest } : rest, expected);
  const once = structuredClone(object);
  applyKindDefaults({ group, kind }, object);
  assert.deepEqual(object, once, 'defaults applied twice are defaults applied once');
}

const container = {
  name: 'c',
  image: 'web:1.2',
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  resources: {},
};
const podSpec = {
  restartPolicy: 'Always',
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
  schedulerName: 'default-scheduler',
};

test('a pod gets what every pod has', () => {
  check(
    '/Pod',
    { spec: { containers: [{ name: 'c', image: 'web:1.2' }], serviceAccountName: 'x' } },
    {
      spec: {
        ...podSpec,
        enableServiceLinks: true,
        serviceAccountName: 'x',
        serviceAccount: 'x',
        containers: [container],
      },
    },
  );
});

test('the pull policy follows the tag', () => {
  const policyOf = (image: string) => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [{ name: 'c', image }] } };
    applyKindDefaults({ group: '', kind: 'Pod' }, pod);
    return (pod.spec.containers[0] as { imagePullPolicy?: string }).imagePullPolicy;
  };
  assert.equal(policyOf('nginx'), 'Always');
  assert.equal(policyOf('host:5000/nginx'), 'Always');
  assert.equal(policyOf('nginx:latest'), 'Always');
  assert.equal(policyOf('nginx:1'), 'IfNotPresent');
  assert.equal(policyOf('nginx@sha256:abc'), 'IfNotPresent');
});

test('requests follow limits, host ports follow the host network, probes and volumes get their numbers', () => {
  check(
    '/Pod',
    {
      spec: {
        hostNetwork: true,
        containers: [
          {
            name: 'c',
            image: 'web:1.2',
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
            livenessProbe: { httpGet: { port: 80 } },
            env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
          },
        ],
        volumes: [{ name: 'a' }, { name: 'b', configMap: { name: 'x' } }, { name: 'c', hostPath: { path: '/x' } }],
      },
    },
    {
      spec: {
        ...podSpec,
        hostNetwork: true,
        enableServiceLinks: true,
        containers: [
          {
            ...container,
            ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
            resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } },
            livenessProbe: {
              httpGet: { path: '/', port: 80, scheme: 'HTTP' },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            env: [{ name: 'IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } }],
          },
        ],
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', configMap: { name: 'x', defaultMode: 420 } },
          { name: 'c', hostPath: { path: '/x', type: '' } },
        ],
      },
    },
  );
});

test('a deployment rolls by quarters and keeps ten revisions', () => {
  check(
    'apps/Deployment',
    { spec: { template: { spec: { containers: [{ name: 'c', image: 'web:1.2' }] } } } },
    {
      spec: {
        replicas: 1,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: { spec: { ...podSpec, containers: [container] } },
      },
    },
  );
  check(
    'apps/Deployment',
    { spec: { replicas: 0, strategy: { type: 'Recreate' }, template: {} } },
    {
      spec: {
        replicas: 0,
        strategy: { type: 'Recreate' },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: {},
      },
    },
  );
});

test('a service is a cluster service whose target is its port', () => {
  check(
    '/Service',
    { spec: { ports: [{ port: 80 }] } },
    {
      spec: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
      status: { loadBalancer: {} },
    },
  );
});

test('stringData of a secret becomes data', () => {
  check(
    '/Secret',
    { data: { a: 'eA==' }, stringData: { b: 'é', a: 'y' } },
    { type: 'Opaque', data: { a: 'eQ==', b: 'w6k=' } },
  );
  check('/Secret', {}, { type: 'Opaque' });
});

test('smaller kinds', () => {
  check('/Namespace', {}, { metadata: { name: 'a', labels: { 'kubernetes.io/metadata.name': 'a' } } });
  check(
    'apps/DaemonSet',
    { spec: {} },
    {
      spec: {
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        revisionHistoryLimit: 10,
      },
    },
  );
  check(
    'batch/Job',
    { spec: {} },
    {
      spec: {
        completions: 1,
        parallelism: 1,
        completionMode: 'NonIndexed',
        suspend: false,
        backoffLimit: 6,
        podReplacementPolicy: 'TerminatingOrFailed',
      },
    },
  );
  check(
    'rbac.authorization.k8s.io/RoleBinding',
    {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', name: 's' },
      ],
    },
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' },
        { kind: 'ServiceAccount', name: 's' },
      ],
    },
  );
  check(
    'networking.k8s.io/NetworkPolicy',
    { spec: { egress: [{}] } },
    { spec: { egress: [{}], policyTypes: ['Ingress', 'Egress'] } },
  );
  check(
    '/LimitRange',
    { spec: { limits: [{ type: 'Container', max: { cpu: '1000m' } }] } },
    {
      spec: {
        limits: [{ type: 'Container', max: { cpu: '1000m' }, default: { cpu: '1' }, defaultRequest: { cpu: '1' } }],
      },
    },
  );
  check('unknown.example.com/Thing', { spec: {} }, { spec: {} });
});
