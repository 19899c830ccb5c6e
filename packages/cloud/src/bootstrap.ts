/** What every cloud has from its first second: namespaces, policy, classes. Made where missing; only our definitions are brought up to date. */
import { type Gvr, isStatus, type KubeObject, parseApiVersion } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { bootstrapPolicy } from '@skerry/security/policy';
import { updatedDefinition } from './definition-update.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** The two classes that Kubernetes has for what a node cannot do without (scheduling.k8s.io). */
const PRIORITY_CLASSES = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 } as const;

export interface BootstrapOptions {
  readonly client: Client;
  /** The object when it is there already; asked of the store, so that a restart costs no request. */
  readonly read: (gvr: Gvr, namespace: string, name: string) => KubeObject | undefined;
  readonly definitions: readonly KubeObject[];
}

/** Creates in three waves: each may need what the one before it made. */
export async function bootstrap({ client, read, definitions }: BootstrapOptions): Promise<void> {
  const namespaces = NAMESPACES.map((name) => object('v1', 'Namespace', name));
  for (const wave of [namespaces, [...definitions, ...bootstrapPolicy()], classes()]) {
    await Promise.all(wave.map((each) => make(client, read, each)));
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

async function make(client: Client, read: BootstrapOptions['read'], wanted: KubeObject): Promise<void> {
  const gvr: Gvr = { ...parseApiVersion(wanted.apiVersion), resource: RESOURCES[wanted.kind] ?? '' };
  const there = read(gvr, wanted.metadata.namespace ?? '', wanted.metadata.name ?? '');
  if (there === undefined) return create(client, gvr, wanted);
  if (wanted.kind !== 'CustomResourceDefinition') return;
  const updated = updatedDefinition(there, wanted);
  if (updated !== undefined) await client.update(gvr, updated, { fieldManager: 'skerry' });
}

async function create(client: Client, gvr: Gvr, wanted: KubeObject): Promise<void> {
  try {
    await client.create(gvr, wanted, { fieldManager: 'skerry' });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
}
