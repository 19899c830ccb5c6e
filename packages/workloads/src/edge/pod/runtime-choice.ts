/** Which runtime of the node runs a pod: the one its RuntimeClass names, else the one its image is for, else the node's first. */
import { isStatus, type KubeObject } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { HOST_IMAGE } from '../process/runtime.ts';
import type { PodRuntime } from '../runtime.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import type { Pod } from './types.ts';

/** What runs programs of the node, whatever else runs here. */
const HOST_RUNTIME = 'process';
const RUNTIME_CLASSES = { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' } as const;

interface RuntimeClass extends KubeObject {
  readonly handler?: string;
}

/** Throws when the node lacks what the class names. A class that is not there stands for the runtime of its own name. */
export async function chooseRuntime(client: Client, runtimes: RuntimeSet, pod: Pod): Promise<PodRuntime> {
  const name = pod.spec.runtimeClassName;
  if (name === undefined || name === '') return guessRuntime(runtimes, pod);
  const handler = await handlerOf(client, name);
  const found = runtimes.known.find((runtime) => runtime.name === handler);
  if (found !== undefined) return found;
  const names = runtimes.known.map((runtime) => runtime.name).join(' and ');
  throw new Error(`no runtime for "${handler}" is configured on this node, which has ${names}`);
}

/** What can be said without asking: where the pod has run before, then its class's name, its images. */
export function guessRuntime({ known, serving }: RuntimeSet, pod: Pod): PodRuntime {
  const byName = (name: string | undefined) => known.find((runtime) => runtime.name === name);
  const ofHost = pod.spec.containers.every(({ image }) => image === HOST_IMAGE) ? byName(HOST_RUNTIME) : undefined;
  return byName(runtimeBefore(pod)) ?? byName(pod.spec.runtimeClassName) ?? ofHost ?? serving[0];
}

/** The name of the runtime that has run the pod, as its status says. */
export function runtimeBefore({ status }: Pod): string | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.find(({ containerID }) => containerID !== undefined)?.containerID?.split('://')[0];
}

async function handlerOf(client: Client, name: string): Promise<string> {
  try {
    const found = await client.get<RuntimeClass>({ gvr: RUNTIME_CLASSES, name });
    return found.handler ?? name;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return name;
    throw error;
  }
}
