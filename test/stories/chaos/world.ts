/** One cloud and two edges behind cables, a journal of what was done to them, and the book of what was acknowledged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import { deployment, type Ground, type Runtime, TcpProxy, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { isAlive, marks } from './census.ts';

export const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
export const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
export const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
export const DEPLOYMENTS: Gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
export const NAMESPACE = 'default';
const REQUEST_MS = 5_000;

export interface Wanted {
  readonly replicas: number;
  readonly generation: number;
}

export interface Site {
  readonly name: string;
  readonly edge: TestEdge;
  readonly cable: TcpProxy;
  isCut: boolean;
}

/** Each line of a pod's log has the next number: a gap or a repetition shows. */
const SCRIPT = 'trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.5; done';

export class World implements AsyncDisposable {
  readonly run: string;
  readonly cloud: TestCloud;
  readonly sites: readonly Site[];
  readonly runtime: Runtime;
  readonly journal: string[] = [];
  /** Deployments by name: what the cloud has acknowledged; undefined once a deletion was. */
  readonly deployments = new Map<string, Wanted | undefined>();
  readonly configs = new Map<string, string>();
  /** Names with a write whose answer never came: it may have happened or not. */
  readonly unsure = new Set<string>();
  readonly cordoned = new Set<string>();
  #client: HttpClient | undefined;
  readonly #start = performance.now();

  /** Each node stands on a ground of its own, of the same runtime. */
  static async open(run: string, grounds: readonly [Ground, Ground]): Promise<World> {
    const cloud = await TestCloud.start();
    const sites = [await joinSite(cloud, 'edge-1', grounds[0]), await joinSite(cloud, 'edge-2', grounds[1])];
    return new World(run, cloud, sites, grounds[0].runtime);
  }

  constructor(run: string, cloud: TestCloud, sites: readonly Site[], runtime: Runtime) {
    this.run = run;
    this.cloud = cloud;
    this.sites = sites;
    this.runtime = runtime;
  }

  note(what: string): void {
    this.journal.push(`${((performance.now() - this.#start) / 1000).toFixed(1)} s: ${what}`);
  }

  async client(): Promise<HttpClient> {
    this.#client ??= await clientFor(this.cloud.kubeconfig);
    return this.#client;
  }

  /** Does a write and books it once it is acknowledged. A refusal changes nothing; no answer leaves `name` unsure. */
  async write(name: string, attempt: (client: HttpClient, signal: AbortSignal) => Promise<unknown>, book: () => void) {
    try {
      await attempt(await this.client(), AbortSignal.timeout(REQUEST_MS));
      book();
    } catch (error) {
      const isRefused = isStatus(error) && error.code !== 500 && error.code !== 504 && error.code !== 503;
      if (!isRefused) this.unsure.add(name);
      this.note(`  not acknowledged: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  manifest(name: string, { replicas, generation }: Wanted, more: object = {}): KubeObject {
    const env = [...marks(this.run), { name: 'GENERATION', value: String(generation) }];
    const spec = {
      volumes: [{ name: 'settings', configMap: { name: 'settings', optional: true } }],
    };
    const container = { env, volumeMounts: [{ name: 'settings', mountPath: '/settings' }], ...more };
    return deployment(this.runtime, { name, replicas, script: SCRIPT, spec, container }) as KubeObject;
  }

  async pods(): Promise<readonly Pod[]> {
    const client = await this.client();
    return (await client.list<Pod & KubeObject>(PODS, { namespace: NAMESPACE })).items;
  }

  /** Everything runs, every cable is whole, every node takes pods again. */
  async mend(): Promise<void> {
    if (!this.cloud.process.isRunning) await this.cloud.process.start();
    for (const site of this.sites) {
      site.cable.mend();
      site.isCut = false;
      if (!site.edge.process.isRunning) await site.edge.process.start();
    }
    const client = await this.client();
    for (const { name } of this.sites) {
      await client.patch({ gvr: NODES, name }, { spec: { unschedulable: null } }, { type: 'merge' });
    }
    this.cordoned.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.[Symbol.dispose]();
    for (const { edge, cable } of this.sites) {
      cable.mend();
      await edge[Symbol.asyncDispose]();
      await cable[Symbol.asyncDispose]();
    }
    await this.cloud[Symbol.asyncDispose]();
  }
}

async function joinSite(cloud: TestCloud, name: string, ground: Ground): Promise<Site> {
  const cable = await TcpProxy.start(cloud.linkAddress);
  const edge = await TestEdge.join(cloud, { name, args: ['--join', cable.address], ...ground.edge });
  return { name, edge, cable, isCut: false };
}

export async function clientFor(kubeconfig: string): Promise<HttpClient> {
  const { connection } = await loadKubeconfig(kubeconfig);
  return createHttpClient({ connection });
}

/** The supervisor's pid; undefined while none lives. */
export function supervisorOf({ name, edge }: Site): number | undefined {
  try {
    const lock = readFileSync(join(edge.dir, 'edge', name, 'supervisor', 'lock'), 'utf8');
    const { pid } = JSON.parse(lock) as { readonly pid: number };
    return isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
