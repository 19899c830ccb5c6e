/**
 * Roles and bindings that every Kubernetes-shaped API has from its first minute: those that kubectl, Helm charts, controllers and
 * agents name. Facts of Kubernetes' default policy; groups we do not serve are left out. Read once at start: `bootstrapPolicy()`.
 */
import type { KubeObject } from '@skerry/api';
import { rule, urlRule } from './bootstrap-rules.ts';
import { userFacingRoles } from './bootstrap-user-roles.ts';
import { type PolicyRule, RBAC_GROUP } from './rules.ts';

/** The mark by which a later start recognizes, and repairs, what it made. */
export const BOOTSTRAP_LABEL = { 'kubernetes.io/bootstrapping': 'rbac-defaults' } as const;
export const AUTO_UPDATE_ANNOTATION = 'rbac.authorization.kubernetes.io/autoupdate';

const API_VERSION = `${RBAC_GROUP}/v1`;

/** ClusterRoles, ClusterRoleBindings, Roles and RoleBindings to create where they are missing. */
export function bootstrapPolicy(): readonly KubeObject[] {
  return [
    ...Object.entries(systemRoles()).map(([name, rules]) => clusterRole(name, { rules })),
    ...userFacingRoles().map(({ name, ...parts }) => clusterRole(name, parts)),
    ...Object.entries(CLUSTER_BINDINGS).map(([name, binding]) => clusterRoleBinding(name, binding)),
    ...namespacedRoles(),
  ];
}

interface ClusterBinding {
  readonly role: string;
  readonly groups?: readonly string[];
  readonly users?: readonly string[];
}

const CLUSTER_BINDINGS: Readonly<Record<string, ClusterBinding>> = {
  'cluster-admin': { role: 'cluster-admin', groups: ['system:masters'] },
  'system:discovery': { role: 'system:discovery', groups: ['system:authenticated'] },
  'system:basic-user': { role: 'system:basic-user', groups: ['system:authenticated'] },
  'system:public-info-viewer': {
    role: 'system:public-info-viewer',
    groups: ['system:authenticated', 'system:unauthenticated'],
  },
  'system:monitoring': { role: 'system:monitoring', groups: ['system:monitoring'] },
  'system:service-account-issuer-discovery': {
    role: 'system:service-account-issuer-discovery',
    groups: ['system:serviceaccounts'],
  },
  'system:kube-controller-manager': {
    role: 'system:kube-controller-manager',
    users: ['system:kube-controller-manager'],
  },
  'system:kube-scheduler': { role: 'system:kube-scheduler', users: ['system:kube-scheduler'] },
  'system:volume-scheduler': { role: 'system:volume-scheduler', users: ['system:kube-scheduler'] },
  'system:node-proxier': { role: 'system:node-proxier', users: ['system:kube-proxy'] },
  // Nodes are the node authorizer's: the role is there for those who bind it by name, bound to nobody.
  'system:node': { role: 'system:node' },
};

function systemRoles(): Readonly<Record<string, readonly PolicyRule[]>> {
  return {
    'cluster-admin': [rule('*', '*', '*'), urlRule('*', '*')],
    'system:discovery': [
      urlRule(
        'get',
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/healthz',
        '/livez',
        '/openapi',
        '/openapi/*',
        '/readyz',
        '/version',
        '/version/',
      ),
    ],
    'system:basic-user': [
      rule('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      rule('create', 'authentication.k8s.io', 'selfsubjectreviews'),
    ],
    'system:public-info-viewer': [urlRule('get', '/healthz', '/livez', '/readyz', '/version', '/version/')],
    'system:monitoring': [
      urlRule(
        'get',
        '/healthz',
        '/healthz/*',
        '/livez',
        '/livez/*',
        '/metrics',
        '/metrics/slis',
        '/readyz',
        '/readyz/*',
      ),
    ],
    'system:service-account-issuer-discovery': [
      urlRule(
        'get',
        '/.well-known/openid-configuration',
        '/.well-known/openid-configuration/',
        '/openid/v1/jwks',
        '/openid/v1/jwks/',
      ),
    ],
    'system:auth-delegator': [
      rule('create', 'authentication.k8s.io', 'tokenreviews'),
      rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
    'system:kube-aggregator': [rule('get list watch', '', 'services endpoints')],
    'system:node': nodeRules(),
    'system:node-problem-detector': [
      rule('get', '', 'nodes'),
      rule('patch', '', 'nodes/status'),
      rule('create patch update', ' events.k8s.io', 'events'),
    ],
    'system:node-bootstrapper': [rule('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests')],
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
      rule('create', 'certificates.k8s.io', 'certificatesigningrequests/nodeclient'),
    ],
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': [
      rule('create', 'certificates.k8s.io', 'certificatesigningrequests/selfnodeclient'),
    ],
    'system:kubelet-api-admin': [
      rule('get list watch', '', 'nodes'),
      rule('proxy', '', 'nodes'),
      rule('*', '', 'nodes/log nodes/metrics nodes/proxy nodes/stats nodes/healthz nodes/pods nodes/configz'),
    ],
    'system:node-proxier': [
      rule('list watch', '', 'services endpoints'),
      rule('get list watch', '', 'nodes'),
      rule('create patch update', ' events.k8s.io', 'events'),
      rule('list watch', 'discovery.k8s.io', 'endpointslices'),
    ],
    'system:kube-dns': [rule('list watch', '', 'endpoints services')],
    'system:persistent-volume-provisioner': [
      rule('create delete get list watch', '', 'persistentvolumes'),
      rule('get list update watch', '', 'persistentvolumeclaims'),
      rule('get list watch', 'storage.k8s.io', 'storageclasses'),
      rule('watch create update patch', '', 'events'),
    ],
    'system:kube-controller-manager': controllerManagerRules(),
    'system:kube-scheduler': schedulerRules(),
    'system:volume-scheduler': [
      rule('get list patch update watch', '', 'persistentvolumes persistentvolumeclaims'),
      rule('get list watch', 'storage.k8s.io', 'storageclasses'),
    ],
  };
}

function nodeRules(): readonly PolicyRule[] {
  return [
    rule('create', 'authentication.k8s.io', 'tokenreviews'),
    rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews subjectaccessreviews'),
    rule('get list watch', '', 'services'),
    rule('create get list watch', '', 'nodes'),
    rule('patch update', '', 'nodes nodes/status'),
    rule('create patch update', '', 'events'),
    rule('get list watch', '', 'pods'),
    rule('create delete', '', 'pods'),
    rule('patch update', '', 'pods/status'),
    rule('create', '', 'pods/eviction serviceaccounts/token'),
    rule('get list watch', '', 'configmaps secrets'),
    rule('get', '', 'persistentvolumeclaims persistentvolumes'),
    rule('create get patch update delete', 'coordination.k8s.io', 'leases'),
    rule('get list watch', 'node.k8s.io', 'runtimeclasses'),
  ];
}

function controllerManagerRules(): readonly PolicyRule[] {
  return [
    rule('create patch update', ' events.k8s.io', 'events'),
    rule('create', 'coordination.k8s.io', 'leases'),
    rule('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
    rule('create', '', 'secrets serviceaccounts'),
    rule('delete', '', 'secrets'),
    rule('get', '', 'configmaps namespaces secrets serviceaccounts'),
    rule('update', '', 'secrets serviceaccounts'),
    rule('create', 'authentication.k8s.io', 'tokenreviews'),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    rule('list watch', '*', '*'),
    rule('create', '', 'serviceaccounts/token'),
  ];
}

function schedulerRules(): readonly PolicyRule[] {
  return [
    rule('create patch update', ' events.k8s.io', 'events'),
    rule('create get list update watch', 'coordination.k8s.io', 'leases'),
    rule(
      'get list watch',
      '',
      'nodes namespaces replicationcontrollers services persistentvolumeclaims persistentvolumes',
    ),
    rule('delete get list watch', '', 'pods'),
    rule('create', '', 'bindings pods/binding'),
    rule('patch update', '', 'pods/status'),
    rule('get list watch', 'apps', 'replicasets statefulsets'),
    rule('get list watch', 'policy', 'poddisruptionbudgets'),
    rule('create', 'authentication.k8s.io', 'tokenreviews'),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    rule('get list watch', 'storage.k8s.io', 'csinodes csidrivers csistoragecapacities storageclasses'),
  ];
}

function namespacedRoles(): readonly KubeObject[] {
  const at = (namespace: string, name: string) => ({ ...marks(), name, namespace });
  const configMaps = (name: string) => rule('get list watch', '', 'configmaps', name);
  return [
    {
      apiVersion: API_VERSION,
      kind: 'Role',
      metadata: at('kube-system', 'extension-apiserver-authentication-reader'),
      rules: [configMaps('extension-apiserver-authentication')],
    },
    {
      apiVersion: API_VERSION,
      kind: 'RoleBinding',
      metadata: at('kube-system', 'system::extension-apiserver-authentication-reader'),
      roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: 'extension-apiserver-authentication-reader' },
      subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
    },
  ];
}

function clusterRole(
  name: string,
  parts: { readonly rules: readonly PolicyRule[]; readonly labels?: object; readonly aggregationRule?: object },
): KubeObject {
  const { labels, ...rest } = parts;
  const { labels: own, annotations } = marks();
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: { name, annotations, labels: { ...own, ...labels } },
    ...rest,
  };
}

function clusterRoleBinding(name: string, { role, groups = [], users = [] }: ClusterBinding): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: { ...marks(), name },
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: role },
    subjects: [...groups.map((group) => ({ apiGroup: RBAC_GROUP, kind: 'Group', name: group })), ...users.map(user)],
  };
}

function user(name: string): object {
  return { apiGroup: RBAC_GROUP, kind: 'User', name };
}

function marks(): { labels: Record<string, string>; annotations: Record<string, string> } {
  return { labels: { ...BOOTSTRAP_LABEL }, annotations: { [AUTO_UPDATE_ANNOTATION]: 'true' } };
}
