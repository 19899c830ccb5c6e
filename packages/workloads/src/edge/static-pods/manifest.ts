/** A manifest in a folder as a pod of this node, named and marked as a kubelet does it. Pure. */
import { createHash } from 'node:crypto';
import { drawnResource, podRelations, schemaOfType } from '@skerry/api/facts';
import { applyKindDefaults, validateKind } from '@skerry/api/validation';
import { applyDefaults, decodeError, normalize, prune } from '@skerry/api/walker';
import { ConfigAnnotation, isMirrorPod } from '../pod/static-pod.ts';
import type { Pod } from '../pod/types.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' } as const;

export interface ManifestPlace {
  readonly node: string;
  readonly file: string;
}

/** Throws an Error for people. The same manifest in the same place is the same pod, also after a restart. */
export function staticPodOf(manifest: unknown, { node, file }: ManifestPlace, now: number): Pod {
  const pod = decoded(manifest);
  const { name = '', namespace = 'default', labels = {}, annotations = {} } = pod.metadata;
  const uid = createHash('sha256')
    .update(JSON.stringify([node, file, pod]))
    .digest('hex')
    .slice(0, 32);
  const drawn = drawnResource(pod, podRelations());
  if (drawn !== undefined)
    throw new Error(`a static pod may not refer to ${drawn}: nothing but the node has to be there for it`);
  pod.metadata = {
    name: `${name}-${node}`,
    namespace,
    uid,
    labels,
    annotations: {
      ...annotations,
      [ConfigAnnotation.source]: 'file',
      [ConfigAnnotation.hash]: uid,
      [ConfigAnnotation.seen]: new Date(now).toISOString(),
    },
  };
  // Whatever the cloud thinks of the node: such pods stay.
  const tolerations = [...(pod.spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }];
  pod.spec = { ...pod.spec, nodeName: node, tolerations };
  applyKindDefaults(POD, pod);
  applyDefaults(pod, schemaOf());
  const [fault] = validateKind(POD, pod, undefined, {});
  if (fault !== undefined) throw new Error(fault.message);
  return pod;
}

function decoded(manifest: unknown): Pod {
  if (!isPod(manifest)) throw new Error('it is not a Pod of v1 with a name and containers');
  const error = decodeError(manifest, schemaOf());
  if (error !== undefined) throw new Error(error);
  const { status: _dropped, ...pod } = normalize(prune(structuredClone(manifest), schemaOf()), schemaOf());
  return pod;
}

function isPod(manifest: unknown): manifest is Pod {
  const { apiVersion, kind, metadata, spec } = (manifest ?? {}) as Partial<Pod>;
  return (
    apiVersion === 'v1' &&
    kind === 'Pod' &&
    typeof metadata?.name === 'string' &&
    Array.isArray(spec?.containers) &&
    spec.containers.length > 0
  );
}

function schemaOf(): NonNullable<ReturnType<typeof schemaOfType>> {
  const schema = schemaOfType('core.v1.Pod');
  if (schema === undefined) throw new Error('the API knows no pods');
  return schema;
}

/** What the API shows of a static pod: it can be looked at and asked for logs, and nothing that is done to it has an effect. */
export function mirrorOf(pod: Pod, nodeUid: string | undefined): Pod {
  const { name = '', namespace = '', uid = '', labels = {}, annotations = {} } = pod.metadata;
  const node = pod.spec.nodeName ?? '';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      annotations: { ...annotations, [ConfigAnnotation.mirror]: uid },
      ...(nodeUid === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid: nodeUid, controller: true }] }),
    },
    spec: pod.spec,
  };
}

export type MirrorPlan = 'create' | 'delete' | 'none';

/** `pod` is the static pod of the name, `shown` what the API has under it. */
export function planMirror(pod: Pod | undefined, shown: Pod | undefined): MirrorPlan {
  if (shown === undefined) return pod === undefined ? 'none' : 'create';
  // Somebody else's pod of the same name is none of ours.
  if (!isMirrorPod(shown)) return 'none';
  const isCurrent = shown.metadata.annotations?.[ConfigAnnotation.mirror] === pod?.metadata.uid;
  return isCurrent && shown.metadata.deletionTimestamp === undefined ? 'none' : 'delete';
}

/** A mirror that does not stay, since the cloud refuses it, is not made over and over. */
const MIRRORS_PER_MINUTE = 10;
const MINUTE_MS = 60_000;

/** The times at which it was made of late, with this one; undefined when it has to wait. */
export function nextMirror(made: readonly number[], now: number): readonly number[] | undefined {
  const late = made.filter((at) => now - at < MINUTE_MS);
  return late.length < MIRRORS_PER_MINUTE ? [...late, now] : undefined;
}
