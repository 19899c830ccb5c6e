/** A cloud and one edge node as real processes, with a client of the cloud's API. */
import type { Gvr, KubeObject } from '@skerry/api';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import { deployment, eventually, PROCESS, pod, type Runtime, TestCloud, TestEdge } from '@skerry/testkit/processes';

export const DEPLOYMENTS: Gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
export const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
export const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
export const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };

export interface Pod extends KubeObject {
  readonly status?: { readonly phase?: string };
  readonly spec?: { readonly nodeName?: string };
}

/** A program that does nothing, so that nothing but the platform is measured. */
const IDLE_SCRIPT = 'exec sleep 1000000';

export interface Site extends AsyncDisposable {
  readonly cloud: TestCloud;
  readonly edge: TestEdge;
  readonly client: HttpClient;
}

export async function startSite(
  node: string,
  join = (cloud: TestCloud) => TestEdge.join(cloud, { name: node }),
): Promise<Site> {
  const cloud = await TestCloud.start();
  const client = await clientOf(cloud.kubeconfig);
  const edge = await join(cloud);
  await eventually('the node is ready', async () => isReady(await client.get(nodeRef(node))), { timeoutMs: 60_000 });
  const end = async () => {
    await edge[Symbol.asyncDispose]();
    client.close();
    await cloud[Symbol.asyncDispose]();
  };
  return { cloud, edge, client, [Symbol.asyncDispose]: end };
}

export async function clientOf(kubeconfig: string): Promise<HttpClient> {
  const { connection } = await loadKubeconfig(kubeconfig);
  return createHttpClient({ connection, userAgent: 'bench' });
}

export function idleDeployment(name: string, replicas: number, runtime: Runtime = PROCESS): KubeObject {
  const object = deployment(runtime, { name, script: IDLE_SCRIPT, replicas }) as KubeObject;
  return { ...object, metadata: { ...object.metadata, namespace: 'default' } };
}

export function idlePod(name: string, runtime: Runtime, container: object): KubeObject {
  const object = pod(runtime, { name, script: IDLE_SCRIPT, container }) as KubeObject;
  return { ...object, metadata: { ...object.metadata, namespace: 'default' } };
}

function nodeRef(name: string) {
  return { gvr: NODES, name };
}

/** A node or a pod. */
export function isReady(object: KubeObject): boolean {
  const { conditions = [] } = (object['status'] ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Resolves once so many pods run. */
export function untilRunning(client: HttpClient, count: number): Promise<true> {
  const isDone = async () => {
    const { items } = await client.list<Pod>(PODS, { namespace: 'default' });
    return items.filter(({ status }) => status?.phase === 'Running').length === count;
  };
  return eventually(`${count} pods run`, isDone, { timeoutMs: 120_000 }) as Promise<true>;
}
