/** Whether this node has the runtime that a pod asks for by its RuntimeClass. */
import { isStatus, type KubeObject } from '@skerry/api';
import type { PodContext } from './context.ts';
import type { Pod } from './types.ts';

const RUNTIME_CLASSES = { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' } as const;

interface RuntimeClass extends KubeObject {
  readonly handler?: string;
}

/** Throws when it has not. A class that is not there stands for the runtime of its own name. */
export async function checkRuntimeClass({ client, runtime }: PodContext, { spec }: Pod): Promise<void> {
  const name = spec.runtimeClassName;
  if (name === undefined || name === '') return;
  const handler = await handlerOf(client, name);
  if (handler === runtime.name) return;
  throw new Error(`no runtime for "${handler}" is configured on this node, which has ${runtime.name}`);
}

async function handlerOf(client: PodContext['client'], name: string): Promise<string> {
  try {
    const found = await client.get<RuntimeClass>({ gvr: RUNTIME_CLASSES, name });
    return found.handler ?? name;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return name;
    throw error;
  }
}
