import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../object.ts';
import { applyKindDefaults } from '../defaults/index.ts';
import { validateKind } from './index.ts';
import { validateMeta } from './meta.ts';

type Body = Record<string, unknown>;

function object(type: string, body: Body): KubeObject {
  const [group = '', kind = ''] = type.split('/');
  const whole = { apiVersion: 'v1', kind, metadata: { name: 'a' }, ...structuredClone(body) };
  applyKindDefaults({ group, kind }, whole);
  return whole;
}

/** The messages for a new object, or for its change from `old`; `[]` when it is valid. */
function check(type: string, body: Body, expected: readonly (string | RegExp)[], old?: Body, subresource = ''): void {
  const [group = '', kind = ''] = type.split('/');
  const before = old === undefined ? undefined : object(type, old);
  const messages = validateKind({ group, kind }, object(type, body), before, { subresource }).map(
    ({ message }) => message,
  );
  assert.equal(messages.length, expected.length, messages.join('\n'));
  for (const [index, want] of expected.entries()) {
    if (typeof want === 'string') assert.equal(messages[index], want);
    else assert.match(messages[index] ?? '', want);
  }
}

const container = { name: 'c', image: 'i:1' };
const podWith = (change: Body, more: Body = {}) => ({ spec: { containers: [{ ...container, ...change }], ...more } });
const labels = { app: 'web' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const workload = (change: Body = {}) => ({ spec: { selector: { matchLabels: labels }, template, ...change } });

test('a plain pod is valid, one without containers is not', () => {
  check('/Pod', podWith({}), []);
  check('/Pod', { spec: { containers: [] } }, ['spec.containers: Required value']);
});

test('containers have a name, an image, and no twin', () => {
  check('/Pod', podWith({ name: undefined, image: '' }), [
    'spec.containers[0].name: Required value',
    'spec.containers[0].image: Required value',
  ]);
  check('/Pod', podWith({ name: 'Not_DNS' }), [
    /^spec\.containers\[0\]\.name: Invalid value: "Not_DNS": a lowercase RFC 1123 label must consist/,
  ]);
  check('/Pod', { spec: { containers: [container, container] } }, ['spec.containers[1].name: Duplicate value: "c"']);
  check('/Pod', { spec: { containers: [container], initContainers: [container] } }, [
    'spec.initContainers[0].name: Duplicate value: "c"',
  ]);
  check('/Pod', podWith({ imagePullPolicy: 'Sometimes' }), [
    'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
  ]);
});

test('ports are in range and named by the rules', () => {
  check('/Pod', podWith({ ports: [{ containerPort: 70_000 }] }), [
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ]);
  check('/Pod', podWith({ ports: [{ containerPort: 80, name: 'far-too-long-a-name' }] }), [
    /must be no more than 15 characters/,
  ]);
  check(
    '/Pod',
    podWith({
      ports: [
        { containerPort: 80, hostPort: 80 },
        { containerPort: 81, hostPort: 80 },
      ],
    }),
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
  );
  check('/Pod', podWith({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }), [
    /containerPort: Invalid value: 80: must match `hostPort` when `hostNetwork` is true/,
  ]);
});

test('environment and mounts refer to what is there', () => {
  check('/Pod', podWith({ env: [{ name: 'A=B', value: 'x' }] }), [/printable ASCII characters other than '='/]);
  check('/Pod', podWith({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] }), [
    /may not be specified when `value` is not empty/,
  ]);
  check('/Pod', podWith({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.secret' } } }] }), [
    /field label not supported: spec\.secret/,
  ]);
  check('/Pod', podWith({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['x']" } } }] }), []);
  check('/Pod', podWith({ volumeMounts: [{ name: 'gone', mountPath: '/x' }] }), [
    'spec.containers[0].volumeMounts[0].name: Not found: "gone"',
  ]);
  check(
    '/Pod',
    podWith({ volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../etc' }] }, { volumes: [{ name: 'v' }] }),
    [/subPath: Invalid value: "..\/etc": must not contain '..'/],
  );
});

test('resources are amounts, and requests stay below limits', () => {
  check('/Pod', podWith({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }), [
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ]);
  check('/Pod', podWith({ resources: { requests: { memory: '-1' } } }), [/must be greater than or equal to 0/]);
  check('/Pod', podWith({ resources: { requests: { gpu: '1' } } }), [
    /must be a standard resource type or fully qualified/,
  ]);
  check('/Pod', podWith({ resources: { limits: { 'example.com/gpu': '500m' } } }), [
    /limits\[example.com\/gpu\].*must be an integer/,
    /requests\[example.com\/gpu\].*must be an integer/,
  ]);
});

test('volumes have one source with what it needs', () => {
  const volumes = (...list: Body[]) => podWith({}, { volumes: list });
  check('/Pod', volumes({ name: 'a' }, { name: 'a' }), ['spec.volumes[1].name: Duplicate value: "a"']);
  check('/Pod', volumes({ name: 'a', emptyDir: {}, secret: { secretName: 'x' } }), [
    /spec\.volumes\[0\]\.secret: Forbidden: may not specify more than 1 volume type/,
  ]);
  check('/Pod', volumes({ name: 'a', hostPath: { path: '/a/../b' } }), [/must not contain '..'/]);
  check('/Pod', volumes({ name: 'a', configMap: { name: 'x', defaultMode: 512 } }), [/between 0 and 0777/]);
  check(
    '/Pod',
    volumes({ name: 'a', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 10 } }] } }),
    [/less than 10 minutes/],
  );
  check('/Pod', volumes({ name: 'a', secret: {} }), ['spec.volumes[0].secret.secretName: Required value']);
});

test('probes have one handler', () => {
  check('/Pod', podWith({ livenessProbe: {} }), [
    'spec.containers[0].livenessProbe: Required value: must specify a handler type',
  ]);
  check('/Pod', podWith({ livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } }), [
    /successThreshold: Invalid value: 2: must be 1/,
  ]);
  check(
    '/Pod',
    {
      spec: {
        containers: [container],
        initContainers: [{ ...container, name: 'i', livenessProbe: { exec: { command: ['x'] } } }],
      },
    },
    [/may not be set for init containers/],
  );
});

test('scheduling terms are sound', () => {
  check('/Pod', podWith({}, { tolerations: [{ operator: 'Equal' }] }), [/operator must be Exists when `key` is empty/]);
  check('/Pod', podWith({}, { tolerations: [{ key: 'a', tolerationSeconds: 1 }] }), [/effect must be 'NoExecute'/]);
  check(
    '/Pod',
    podWith(
      {},
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
    ),
    [/must have at least one node selector term/],
  );
  check(
    '/Pod',
    podWith({}, { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'Never' }] }),
    [/maxSkew/, /whenUnsatisfiable: Unsupported value: "Never"/],
  );
});

test('processor and memory of a running pod change by their own door, and its class does not', () => {
  const sized = (resources: object) => podWith({ resources });
  const before = sized({ requests: { cpu: '1', 'ephemeral-storage': '1Gi' }, limits: { cpu: '2' } });
  const resize = (resources: object, faults: readonly (string | RegExp)[]) =>
    check('/Pod', sized(resources), faults, before, 'resize');
  resize({ requests: { cpu: '2', 'ephemeral-storage': '1Gi' }, limits: { cpu: '3' } }, []);
  check('/Pod', sized({ requests: { cpu: '2' } }), [/^spec: Forbidden/], before);
  resize({ requests: { cpu: '1', 'ephemeral-storage': '2Gi' }, limits: { cpu: '2' } }, [
    'spec.containers[0].resources: Forbidden: only cpu and memory resources are mutable',
  ]);
  resize({ requests: { cpu: '1', 'ephemeral-storage': '1Gi' } }, [
    'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
  ]);
  check(
    '/Pod',
    sized({ requests: { cpu: '1' } }),
    ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
    podWith({}),
    'resize',
  );
});

test('of a pod only little changes', () => {
  const before = podWith({});
  check('/Pod', podWith({ image: 'i:2' }), [], before);
  check('/Pod', podWith({}, { activeDeadlineSeconds: 5, tolerations: [{ operator: 'Exists' }] }), [], before);
  check(
    '/Pod',
    podWith({ command: ['x'] }),
    [/^spec: Forbidden: pod updates may not change fields other than/],
    before,
  );
  check('/Pod', podWith({}, { nodeName: 'n' }), [/^spec: Forbidden/], before);
  check('/Pod', podWith({}, { nodeName: 'n' }), [], before, 'binding');
  check(
    '/Pod',
    { spec: { containers: [container, { ...container, name: 'd' }] } },
    ['spec.containers: Forbidden: pod updates may not add or remove containers'],
    before,
  );
  check(
    '/Pod',
    before,
    [/existing toleration can not be modified/],
    podWith({}, { tolerations: [{ operator: 'Exists' }] }),
  );
  check(
    '/Pod',
    podWith({}, { activeDeadlineSeconds: 9 }),
    [/less than or equal to previous value 5/],
    podWith({}, { activeDeadlineSeconds: 5 }),
  );
});

test('workloads select their own pods, for good', () => {
  for (const kind of ['apps/Deployment', 'apps/ReplicaSet', 'apps/DaemonSet']) {
    check(kind, workload(), []);
    check(kind, workload({ selector: undefined }), ['spec.selector: Required value']);
    check(kind, workload({ selector: {} }), [/^spec\.selector: Invalid value: \{\}: empty selector is invalid for/]);
    check(kind, workload({ selector: { matchLabels: { app: 'x' } } }), [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ]);
    check(
      kind,
      workload({ selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }),
      [/^spec\.selector: Invalid value: .*: field is immutable$/],
      workload(),
    );
  }
});

test('a deployment restarts always and rolls by some', () => {
  check('apps/Deployment', workload({ replicas: -1 }), [
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ]);
  check(
    'apps/Deployment',
    workload({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
    [/may not be 0 when `maxSurge` is 0/],
  );
  check('apps/Deployment', workload({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }), [
    /may not be specified when strategy `type` is 'Recreate'/,
  ]);
  check(
    'apps/Deployment',
    workload({ template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }),
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  );
  check('apps/Deployment', workload({ progressDeadlineSeconds: 5, minReadySeconds: 5 }), [
    /must be greater than minReadySeconds/,
  ]);
});

test('a stateful set may mount its claims, and nothing else that is not there', () => {
  const mounting = (name: string) => ({ ...container, volumeMounts: [{ name, mountPath: '/data' }] });
  const set = (name: string) =>
    workload({
      podManagementPolicy: 'Parallel',
      volumeClaimTemplates: [{ metadata: { name: 'data' } }],
      template: { ...template, spec: { ...template.spec, containers: [mounting(name)] } },
    });
  check('apps/StatefulSet', set('data'), []);
  check('apps/StatefulSet', set('other'), [/volumeMounts\[0\]\.name: Not found: "other"/]);
});

test('jobs and cron jobs', () => {
  const job = { template: { spec: { containers: [container], restartPolicy: 'Never' } } };
  check('batch/Job', { spec: job }, []);
  check(
    'batch/Job',
    { spec: { ...job, completions: 3 } },
    [/^spec\.completions: Invalid value: 3: field is immutable/],
    { spec: job },
  );
  check('batch/Job', { spec: { ...job, backoffLimitPerIndex: 1 } }, [/requires indexed completion mode/]);
  const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [0] } }];
  check('batch/Job', { spec: { ...job, podFailurePolicy: { rules } } }, [
    'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: 0: must not be 0 for the In operator',
  ]);
  check('batch/CronJob', { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: job } } }, []);
  check('batch/CronJob', { spec: { schedule: 'often', jobTemplate: { spec: job } } }, [/not a valid cron schedule/]);
});

test('services', () => {
  const service = (spec: Body) => ({ spec: { ports: [{ port: 80 }], ...spec } });
  check('/Service', service({}), []);
  check('/Service', service({ ports: [] }), ['spec.ports: Required value']);
  check('/Service', service({ ports: [], clusterIP: 'None' }), []);
  check('/Service', service({ ports: [{ port: 80 }, { port: 81 }] }), [
    'spec.ports[0].name: Required value',
    'spec.ports[1].name: Required value',
  ]);
  check('/Service', service({ ports: [{ port: 0, targetPort: 1 }] }), [
    'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ]);
  check('/Service', service({ type: 'ExternalName' }), ['spec.externalName: Required value']);
  check(
    '/Service',
    service({ clusterIP: '10.0.0.2' }),
    ['spec.clusterIPs[0]: Invalid value: "10.0.0.2": may not change once set'],
    service({ clusterIP: '10.0.0.1' }),
  );
  check('/Service', service({ externalIPs: ['1.2.3'] }), [/must be a valid IP address/]);
});

test('configuration', () => {
  check('/ConfigMap', { data: { 'a b': 'x' } }, [/^data\[a b\]: Invalid value: "a b": a valid config key must/]);
  check('/ConfigMap', { data: { big: 'x'.repeat(1024 * 1024 + 1) } }, [/Too long/]);
  check(
    '/ConfigMap',
    { data: { a: '2' }, immutable: true },
    ['data: Forbidden: field is immutable when `immutable` is set'],
    { data: { a: '1' }, immutable: true },
  );
  check('/ConfigMap', { data: { a: '1' } }, ['immutable: Forbidden: field is immutable when `immutable` is set'], {
    data: { a: '1' },
    immutable: true,
  });
  check('/Secret', { type: 'kubernetes.io/tls', data: {} }, [
    'data[tls.crt]: Required value',
    'data[tls.key]: Required value',
  ]);
  check('/Secret', { type: 'b' }, ['type: Invalid value: "b": field is immutable'], { type: 'a' });
  check('/Secret', { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } }, [
    /<secret contents redacted>/,
  ]);
});

test('access', () => {
  const rbac = (kind: string) => `rbac.authorization.k8s.io/${kind}`;
  check(rbac('Role'), { rules: [{ verbs: [], apiGroups: [''], resources: ['pods'] }] }, [
    'rules[0].verbs: Required value: verbs must contain at least one value',
  ]);
  check(rbac('Role'), { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }, [
    /namespaced rules cannot apply to non-resource URLs/,
  ]);
  const binding = (name: string) => ({
    roleRef: { kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name: 's', namespace: 'n' }],
  });
  check(rbac('RoleBinding'), binding('r'), []);
  check(rbac('RoleBinding'), binding('q'), [/^roleRef: Invalid value: .*: cannot change roleRef$/], binding('r'));
  check(rbac('ClusterRoleBinding'), binding('r'), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  ]);
  check(rbac('RoleBinding'), { ...binding('r'), subjects: [{ kind: 'Robot', name: 'x' }] }, [
    /subjects\[0\]\.kind: Unsupported value: "Robot"/,
  ]);
});

test('cluster kinds', () => {
  check('/Node', { spec: { taints: [{ key: 'a', effect: 'Never' }] } }, [/effect: Unsupported value: "Never"/]);
  check(
    '/Node',
    {
      spec: {
        taints: [
          { key: 'a', effect: 'NoSchedule' },
          { key: 'a', value: 'x', effect: 'NoSchedule' },
        ],
      },
    },
    [/Duplicate value/],
  );
  check('coordination.k8s.io/Lease', { spec: { leaseDurationSeconds: 0 } }, [/must be greater than zero/]);
  check('scheduling.k8s.io/PriorityClass', { value: 2_000_000_000 }, [/maximum allowed value/]);
  check('scheduling.k8s.io/PriorityClass', { value: 2 }, ['value: Forbidden: may not be changed in an update.'], {
    value: 1,
  });
  check('node.k8s.io/RuntimeClass', { handler: 'Process' }, [/handler: Invalid value/]);
  check('discovery.k8s.io/EndpointSlice', { addressType: 'IPv4', endpoints: [{ addresses: ['x'] }] }, [
    /must be a valid IP address/,
  ]);
  checkEndpointAddresses();
  check('/Event', { metadata: { name: 'e', namespace: 'a' }, involvedObject: { namespace: 'b' } }, [
    /does not match event.namespace/,
  ]);
  check('networking.k8s.io/Ingress', { spec: {} }, [/either `defaultBackend` or `rules`/]);
  check('example.com/Thing', { spec: 7 }, []);
});

function checkEndpointAddresses(): void {
  for (const [address, why] of [
    ['127.0.0.2', /loopback/],
    ['::1', /loopback/],
    ['::ffff:127.0.0.1', /loopback/],
    ['169.254.169.254', /link-local range/],
    ['fe80::1', /link-local range/],
    ['224.0.0.1', /link-local multicast/],
    ['ff02::1', /link-local multicast/],
    ['0.0.0.0', /unspecified/],
    ['::', /unspecified/],
    ['10.1.0.2', undefined],
    ['2001:db8::1', undefined],
  ] as const) {
    const expected = why === undefined ? [] : [why];
    const addressType = address.includes(':') ? 'IPv6' : 'IPv4';
    check('discovery.k8s.io/EndpointSlice', { addressType, endpoints: [{ addresses: [address] }] }, expected);
    check('/Endpoints', { subsets: [{ notReadyAddresses: [{ ip: address }] }] }, expected);
  }
  const targetRef = { kind: 'Pod', name: 'p' };
  check(
    'discovery.k8s.io/EndpointSlice',
    { addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.1'], targetRef }] },
    [],
  );
  check('/Endpoints', { subsets: [{ addresses: [{ ip: '127.0.0.1', targetRef }] }] }, []);
  const metadata = { namespace: 'default', name: 'kubernetes' };
  check('/Endpoints', { metadata, subsets: [{ addresses: [{ ip: '127.0.0.1' }] }] }, []);
}

test('a body that is wrong everywhere gets a bounded answer', () => {
  const faults = validateKind(
    { group: '', kind: 'Pod' },
    object('/Pod', { spec: { containers: Array.from({ length: 10_000 }, () => ({})) } }),
  );
  assert.ok(faults.length < 200, String(faults.length));
});

function meta(kind: string, namespaced: boolean, metadata: Body, expected: readonly RegExp[]): void {
  const whole = {
    apiVersion: 'v1',
    kind,
    metadata: { name: 'a', ...(namespaced ? { namespace: 'default' } : {}), ...metadata },
  } as KubeObject;
  const messages = validateMeta({ gvk: { group: '', version: 'v1', kind }, namespaced }, whole).map(
    ({ message }) => message,
  );
  assert.equal(messages.length, expected.length, messages.join('\n'));
  for (const [index, want] of expected.entries()) assert.match(messages[index] ?? '', want);
}

test('metadata', () => {
  meta('Pod', true, {}, []);
  meta('Pod', true, { name: 'A' }, [
    /^metadata\.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist/,
  ]);
  meta('Pod', true, { name: undefined }, [/^metadata\.name: Required value: name or generateName is required/]);
  meta('Pod', true, { name: undefined, generateName: 'web-' }, []);
  meta('Pod', true, { namespace: undefined }, [/^metadata\.namespace: Required value/]);
  meta('Node', false, { namespace: 'x' }, [/^metadata\.namespace: Forbidden: not allowed on this type/]);
  meta('Service', true, { name: '1a' }, [/DNS-1035 label/]);
  meta('Namespace', false, { name: 'a.b' }, [/must not contain dots/]);
  meta('Pod', true, { labels: { 'a/b/c': 'x', ok: 'no spaces' } }, [/qualified name/, /a valid label must be/]);
  meta('Pod', true, { annotations: { a: 'x'.repeat(262_144) } }, [
    /^metadata\.annotations: Too long: may not be more than 262144 bytes/,
  ]);
  meta('Pod', true, { finalizers: ['bad finalizer'] }, [/^metadata\.finalizers: Invalid value/]);
  const owner = { apiVersion: 'v1', kind: 'X', name: 'o', uid: 'u', controller: true };
  meta('Pod', true, { ownerReferences: [owner, { ...owner, uid: '' }] }, [
    /ownerReferences\[1\]\.uid/,
    /Only one reference can have Controller set to true/,
  ]);
});

test('sysctls are named once, by names that are some', () => {
  const setting = (...names: string[]) =>
    podWith({}, { securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) } });
  check('/Pod', setting('kernel.shm_rmid_forced', 'net/ipv4/tcp_syncookies', 'safe-and-unsafe'), []);
  const path = /^spec.securityContext.sysctls\[0\].name: /;
  for (const name of ['foo-', 'bar..', 'kernel/../x', 'A.b']) check('/Pod', setting(name), [path]);
  check('/Pod', setting('a.b', 'a.b'), ['spec.securityContext.sysctls[1].name: Duplicate value: "a.b"']);
});

test('a file of variables is in an emptyDir of the pod', () => {
  const volumes = [
    { name: 'e', emptyDir: {} },
    { name: 's', secret: { secretName: 's' } },
  ];
  const from = (change: Body) => {
    const fileKeyRef = { volumeName: 'e', path: 'config.env', key: 'A', ...change };
    return podWith({ env: [{ name: 'A', valueFrom: { fileKeyRef } }] }, { volumes });
  };
  const path = 'spec.containers[0].env[0].valueFrom.fileKeyRef';
  check('/Pod', from({}), []);
  for (const volumeName of ['s', 'nobody'])
    check('/Pod', from({ volumeName }), [
      `${path}.volumeName: Invalid value: "${volumeName}": must be the name of an emptyDir volume of the pod`,
    ]);
  check('/Pod', from({ path: '/x' }), [`${path}.path: Invalid value: "/x": must be a relative path`]);
  check('/Pod', from({ path: 'a/../x' }), [`${path}.path: Invalid value: "a/../x": must not contain '..'`]);
});

test('rules for restarts come with a policy, an action and exit codes', () => {
  const exitCodes = { operator: 'In', values: [42] };
  const ruled = (rule: Body, more: Body = { restartPolicy: 'Never' }) =>
    podWith({ restartPolicyRules: [rule], ...more });
  const path = 'spec.containers[0]';
  check('/Pod', ruled({ action: 'Restart', exitCodes }), []);
  check('/Pod', ruled({ action: 'RestartAllContainers', exitCodes }), []);
  check('/Pod', ruled({ action: 'Restart', exitCodes }, {}), [
    `${path}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
  ]);
  check('/Pod', ruled({ action: 'Explode', exitCodes }), [/restartPolicyRules\[0\].action: Unsupported value/]);
  check('/Pod', ruled({ action: 'Restart' }), [`${path}.restartPolicyRules[0].exitCodes: Required value`]);
  check('/Pod', ruled({ action: 'Restart', exitCodes: { operator: 'In', values: [] } }), [
    `${path}.restartPolicyRules[0].exitCodes.values: Required value`,
  ]);
});
