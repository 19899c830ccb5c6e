/** What an autoscaler scales, by way of its `scale` subresource: whatever kind it is. */
import { isStatus, type KubeObject, type Ref } from '@skerry/api';
import type { HorizontalPodAutoscaler } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { ServedKinds } from '../served-kinds.ts';

interface Scale extends KubeObject {
  spec?: { readonly replicas?: number };
  status?: { readonly replicas?: number; readonly selector?: string };
}

export interface ScaleTarget {
  /** What it is set to. */
  readonly replicas: number;
  /** As many as there are. */
  readonly found: number;
  /** Empty when the target does not say which pods are its own. */
  readonly selector: string;
  set(replicas: number): Promise<void>;
}

export async function findTarget(
  client: Client,
  kinds: ServedKinds,
  { metadata, spec }: HorizontalPodAutoscaler,
): Promise<ScaleTarget | { readonly problem: string }> {
  const { apiVersion = '', kind, name } = spec.scaleTargetRef;
  const served = kinds.find(apiVersion, kind);
  if (served === undefined) return { problem: `no matches for kind "${kind}" in group "${apiVersion}"` };
  const { gvr } = served;
  const ref: Ref = { gvr, name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) };
  try {
    const scale = await client.get<Scale>(ref, { subresource: 'scale' });
    const { replicas = 0 } = scale.spec ?? {};
    const { replicas: found = 0, selector = '' } = scale.status ?? {};
    const set = async (wanted: number) => {
      await client.update<Scale>(gvr, { ...scale, spec: { replicas: wanted } }, { subresource: 'scale' });
    };
    return { replicas, found, selector, set };
  } catch (error) {
    if (!isStatus(error)) throw error;
    return { problem: messageOf(error) };
  }
}
