/** What every cloud has from its first second: namespaces, policy, classes. Made where missing, never changed where there. */
import { type Gvr, isStatus, type KubeObject, parseApiVersion } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { bootstrapPolicy } from '@skerry/security/policy';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** The two classes that Kubernetes has for what a node cannot do without (scheduling.k8s.io). */
const PRIORITY_CLASSES = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 } as const;

export interface BootstrapOptions {
  readonly client: Client;
  /** True when the object is there already; asked of the store, so that a restart costs no request. */
  readonly exists: (gvr: Gvr, namespace: string, name: string) => boolean;
  readonly definitions: readonly KubeObject[];
}

/** Creates in three waves: each may need what the one before it made. */
export async function bootstrap({ client, exists, definitions }: BootstrapOptions): Promise<void> {
  const namespaces = NAMESPACES.map((name) => object('v1', 'Namespace', name));
  for (const wave of [namespaces, [...definitions, ...bootstrapPolicy()], classes()]) {
    await Promise.all(wave.map((each) => createMissing(client, exists, each)));
  }
}

function classes(): readonly KubeObject[] {
  const priorities = Object.entries(PRIORITY_CLASSES).map(([name, value]) => ({
    ...object('scheduling.k8s.io/v1', 'PriorityClass', name),
    value,
    description: 'For what the cluster cannot do without.',
  }));
  const runtimes = ['process', 'containerd'].map((name) => ({
    ...object('node.k8s.io/v1', 'RuntimeClass', name),
    handler: name,
    scheduling: { nodeSelector: { [`runtime.skerry.io/${name}`]: 'true' } },
  }));
  return [...priorities, ...runtimes];
}

function object(apiVersion: string, kind: string, name: string): KubeObject {
  return { apiVersion, kind, metadata: { name } };
}

/** Plurals of the kinds made here. */
const RESOURCES: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  PriorityClass: 'priorityclasses',
  RuntimeClass: 'runtimeclasses',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  CustomResourceDefinition: 'customresourcedefinitions',
};

async function createMissing(client: Client, exists: BootstrapOptions['exists'], wanted: KubeObject): Promise<void> {
  const gvr: Gvr = { ...parseApiVersion(wanted.apiVersion), resource: RESOURCES[wanted.kind] ?? '' };
  if (exists(gvr, wanted.metadata.namespace ?? '', wanted.metadata.name ?? '')) return;
  try {
    await client.create(gvr, wanted, { fieldManager: 'skerry' });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
}
