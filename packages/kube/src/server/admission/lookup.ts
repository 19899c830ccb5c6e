/** Other objects that an admission step looks at. */
import type { KubeObject } from '@skerry/api';
import { formatKey } from '../../store/key.ts';
import type { Admitted, Engine } from '../engine.ts';
import { toServedObject } from '../object-text.ts';

export function lookUp(
  { store }: Engine,
  group: string,
  resource: string,
  at: { readonly namespace?: string; readonly name: string },
): KubeObject | undefined {
  if (at.name === '' || at.name.includes('/')) return undefined;
  const stored = store.get(formatKey({ group, resource, namespace: at.namespace ?? '', name: at.name }));
  return stored === undefined ? undefined : toServedObject(stored);
}

export function isFor({ kind }: Admitted, group: string, resource: string): boolean {
  return kind.row.gvr.resource === resource && kind.row.gvr.group === group;
}

/** A new pod itself, not one of its subresources. */
export function isNewPod(admitted: Admitted): boolean {
  return admitted.operation === 'CREATE' && isFor(admitted, '', 'pods') && admitted.subresource === undefined;
}

/** The pod as far as admission knows it; its spec is there and may be changed in place. */
export interface PodSpec {
  serviceAccountName?: string;
  serviceAccount?: string;
  automountServiceAccountToken?: boolean;
  imagePullSecrets?: { name?: string }[];
  volumes?: { name: string; [source: string]: unknown }[];
  containers?: Container[];
  initContainers?: Container[];
  tolerations?: Toleration[];
  priorityClassName?: string;
  priority?: number;
  preemptionPolicy?: string;
  runtimeClassName?: string;
  nodeSelector?: Record<string, string>;
  overhead?: Record<string, unknown>;
  nodeName?: string;
  hostNetwork?: boolean;
}

export interface Container {
  name: string;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

export function specOf(pod: KubeObject): PodSpec {
  if (typeof pod['spec'] !== 'object' || pod['spec'] === null) pod['spec'] = {};
  return pod['spec'] as PodSpec;
}

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** The shadow of a pod that a node runs on its own account. */
export function isMirror({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;
}
