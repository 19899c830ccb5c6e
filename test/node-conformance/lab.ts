/** A namespace of its own on a real node, for one requirement: makes objects, runs pods, waits for what becomes of them. */
import assert from 'node:assert/strict';
import type { KubeObject } from '@skerry/api';
import type {
  ConfigMap,
  Container,
  ContainerStatus,
  Event,
  Pod,
  PodSpec,
  Secret,
  Volume,
  VolumeMount,
} from '@skerry/api/types';
import type { HttpClient } from '@skerry/kube/client';
import { eventually, type Runtime } from '@skerry/testkit/processes';
import type { TestClient } from '../security/client.ts';
import { type ExecAnswer, execOver } from './exec.ts';

/** What Kubernetes demands of a node, and how we look whether ours does it. */
export interface Requirement {
  readonly states: string;
  /** Names of the runtimes it is about; absent: all. */
  readonly on?: 'containerd' | 'process';
  readonly check: (lab: Lab) => Promise<void>;
}

/** A pod with one container, mostly. */
export interface PodPlan {
  readonly name?: string;
  readonly script?: string;
  readonly container?: Partial<Container>;
  readonly spec?: Partial<PodSpec>;
  readonly metadata?: KubeObject['metadata'];
}

export interface Ended {
  readonly pod: Pod;
  readonly lines: readonly string[];
  readonly code: number;
}

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const PODS = core('pods');
const RESOURCES: Readonly<Record<string, ReturnType<typeof core>>> = {
  ConfigMap: core('configmaps'),
  Secret: core('secrets'),
  ServiceAccount: core('serviceaccounts'),
  Service: core('services'),
  RuntimeClass: { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
};
const PATIENCE_MS = 60_000;

/** Runs until it is told to end, and then does so at once. */
export const IDLE = 'trap "exit 0" TERM; while :; do sleep 0.2; done';

export class Lab {
  readonly namespace: string;
  readonly node: string;
  readonly runtime: Runtime;
  readonly client: HttpClient;
  readonly http: TestClient;

  constructor(place: { namespace: string; node: string; runtime: Runtime; client: HttpClient; http: TestClient }) {
    this.namespace = place.namespace;
    this.node = place.node;
    this.runtime = place.runtime;
    this.client = place.client;
    this.http = place.http;
  }

  get image(): string {
    return this.runtime.image;
  }

  get isProcess(): boolean {
    return this.runtime.name === 'process';
  }

  container(script: string, more: Partial<Container> = {}): Container {
    return { name: 'main', image: this.image, command: ['/bin/sh', '-c', script], ...more };
  }

  manifest({ name = 'pod', script = IDLE, container = {}, spec = {}, metadata = {} }: PodPlan): Pod {
    const containers = [this.container(script, container)];
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.namespace, ...metadata },
      spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 2, containers, ...spec },
    };
  }

  create(plan: PodPlan): Promise<Pod> {
    return this.client.create<Pod>(PODS, this.manifest(plan));
  }

  /** A pod that is ready. */
  async start(plan: PodPlan = {}): Promise<Pod> {
    const { metadata } = await this.create(plan);
    return this.until('it is ready', isReady, metadata.name);
  }

  /** Runs a pod to its end. */
  async run(plan: PodPlan): Promise<Ended> {
    const { metadata } = await this.create(plan);
    const pod = await this.until('it has ended', isOver, metadata.name);
    const { terminated } = statusOf(pod)?.state ?? {};
    // What never started has no log to look at.
    if (terminated?.reason === 'StartError') throw new Error(`${metadata.name} did not start: ${terminated.message}`);
    return { pod, lines: await this.lines(pod), code: statusOf(pod)?.state?.terminated?.exitCode ?? -1 };
  }

  /** The most frequent kind of requirement: a script in a pod says exactly this, and the pod succeeds. */
  async says(plan: PodPlan, lines: readonly string[]): Promise<Pod> {
    const ended = await this.run(plan);
    assert.deepEqual(ended.lines, lines);
    assert.equal(ended.pod.status?.phase, 'Succeeded');
    return ended.pod;
  }

  async until(what: string, isSo: (pod: Pod) => boolean, name = 'pod'): Promise<Pod> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    let last: Pod | undefined;
    try {
      for await (const { object } of this.watch(name, signal)) {
        last = object;
        if (isSo(object)) return object;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    const events = await this.events(name);
    throw new Error(`${what} of ${name} did not come: ${JSON.stringify({ status: last?.status, events })}`);
  }

  /** The pod as it is, and whatever becomes of it. */
  watch(name: string, signal: AbortSignal) {
    return this.client.watch<Pod>(PODS, {
      namespace: this.namespace,
      fieldSelector: `metadata.name=${name}`,
      signal,
    });
  }

  get(name = 'pod'): Promise<Pod> {
    return this.client.get<Pod>(this.ref(name));
  }

  patch(patch: object, name = 'pod', subresource?: string): Promise<Pod> {
    const where = subresource === undefined ? {} : { subresource };
    return this.client.patch<Pod>(this.ref(name), patch, { type: 'strategic', ...where });
  }

  delete(name = 'pod', gracePeriodSeconds?: number): Promise<void> {
    return this.client.delete(this.ref(name), gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
  }

  async gone(name = 'pod'): Promise<void> {
    await eventually(`${name} is gone`, async () => (await this.list(name)).length === 0);
  }

  async list(name: string): Promise<readonly Pod[]> {
    const { items } = await this.client.list<Pod>(PODS, {
      namespace: this.namespace,
      fieldSelector: `metadata.name=${name}`,
    });
    return items;
  }

  ref(name: string) {
    return { gvr: PODS, namespace: this.namespace, name };
  }

  async make<T extends KubeObject>(object: T): Promise<T> {
    const gvr = RESOURCES[object.kind];
    assert.ok(gvr, `no resource for ${object.kind}`);
    const metadata =
      object.kind === 'RuntimeClass' ? object.metadata : { namespace: this.namespace, ...object.metadata };
    return this.client.create<T>(gvr, { ...object, metadata });
  }

  configMap(name: string, data: Record<string, string>): Promise<ConfigMap> {
    return this.make<ConfigMap>({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
  }

  secret(name: string, stringData: Record<string, string>): Promise<Secret> {
    return this.make<Secret>({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  }

  change(kind: 'ConfigMap' | 'Secret', name: string, patch: object): Promise<KubeObject> {
    const gvr = RESOURCES[kind];
    assert.ok(gvr);
    return this.client.patch({ gvr, namespace: this.namespace, name }, patch, { type: 'merge' });
  }

  async remove(kind: 'ConfigMap' | 'Secret', name: string): Promise<void> {
    const gvr = RESOURCES[kind];
    assert.ok(gvr);
    await this.client.delete({ gvr, namespace: this.namespace, name });
  }

  /** A log as text. `query` is that of pods/NAME/log. */
  async log(name = 'pod', query = ''): Promise<string> {
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}/log?${query}`;
    const { status, text } = await this.http.ask({ method: 'GET', path });
    assert.equal(status, 200, text);
    return text;
  }

  async lines({ metadata, spec }: Pod, container = spec?.containers[0]?.name ?? ''): Promise<readonly string[]> {
    const text = await this.log(metadata.name, `container=${container}`);
    return text.split('\n').filter(Boolean);
  }

  /** Waits until a container's log has the line. */
  async hears(line: string, name = 'pod', container = 'main'): Promise<void> {
    await eventually(`"${line}" in the log of ${name}`, async () =>
      (await this.log(name, `container=${container}`)).split('\n').includes(line),
    );
  }

  exec(script: string, name = 'pod', container = 'main'): Promise<ExecAnswer> {
    const query = new URLSearchParams({ container, stdout: '1', stderr: '1' });
    for (const word of ['/bin/sh', '-c', script]) query.append('command', word);
    return execOver(this.http, `/api/v1/namespaces/${this.namespace}/pods/${name}/exec?${query}`);
  }

  /** Whatever runs on costs the others their time. */
  clear(): Promise<void> {
    return this.client.deleteCollection(PODS, { namespace: this.namespace, gracePeriodSeconds: 0 });
  }

  /** `Reason: message` of each event about the pod. */
  async events(name = 'pod'): Promise<readonly string[]> {
    const { items } = await this.client.list<Event>(core('events'), {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${name}`,
    });
    return items.map(({ reason, message }) => `${reason}: ${message}`);
  }

  async hasEvent(pattern: RegExp, name = 'pod'): Promise<void> {
    await eventually(`an event ${pattern}`, async () => {
      const events = await this.events(name);
      if (events.some((event) => pattern.test(event))) return true;
      throw new Error(events.join('\n'));
    });
  }
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

export function statusOf({ status }: Pod, name?: string): ContainerStatus | undefined {
  const all = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  return name === undefined ? all[0] : all.find((one) => one.name === name);
}

export function waitingFor(pod: Pod, name?: string): string | undefined {
  return statusOf(pod, name)?.state?.waiting?.reason;
}

export function conditionOf({ status }: Pod, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

export type Source = Omit<Volume, 'name'>;

/** A plan whose container sees the volume at /v. */
export function mounted(source: Source, plan: PodPlan = {}, mount: Partial<VolumeMount> = {}): PodPlan {
  return {
    ...plan,
    spec: { ...plan.spec, volumes: [{ name: 'v', ...source }] },
    container: { ...plan.container, volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] },
  };
}
