/** From a pod template to pods, and to the hash that names its generation. */
import type { Gvk, KubeObject } from '@skerry/api';
import type { Pod, PodTemplateSpec } from '@skerry/api/types';
import { canonicalJson, encodeHash, fnv32a, isSame } from './canonical.ts';
import { controllerReference } from './owners.ts';

export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** A pod that `owner` makes from its template; the server completes its name. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, gvk: Gvk): Pod {
  const { labels = {}, annotations = {}, finalizers = [] } = template.metadata ?? {};
  const { name = '', namespace = '' } = owner.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels,
      annotations,
      ...(finalizers.length === 0 ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner, gvk)],
    },
    spec: template.spec ?? { containers: [] },
  };
}

/** The suffix of a ReplicaSet's name. `collisions` makes another one when two templates share a hash. */
export function templateHash(template: PodTemplateSpec, collisions = 0): string {
  const salt = collisions === 0 ? '' : `#${collisions}`;
  return encodeHash(fnv32a(canonicalJson(withoutHash(template)) + salt));
}

/** Whether two templates make the same pods, whatever their hash labels say. */
export function isSameTemplate(left: PodTemplateSpec, right: PodTemplateSpec): boolean {
  return isSame(withoutHash(left), withoutHash(right));
}

function withoutHash({ metadata, spec }: PodTemplateSpec): PodTemplateSpec {
  const { [POD_TEMPLATE_HASH]: _, ...labels } = metadata?.labels ?? {};
  const { annotations = {} } = metadata ?? {};
  return { metadata: { labels, annotations }, ...(spec === undefined ? {} : { spec }) };
}
