/** Who a StatefulSet's pod is: its ordinal, its name, and the claims that stay with them. Pure. */
import type { OwnerReference } from '@skerry/api';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet, Volume } from '@skerry/api/types';
import { podFromTemplate } from '../pod-template.ts';
import { REVISION_HASH } from '../revisions.ts';

export const STATEFUL_SET = { group: 'apps', version: 'v1', kind: 'StatefulSet' } as const;
const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

export function startOf({ spec }: StatefulSet): number {
  return spec?.ordinals?.start ?? 0;
}

export function replicasOf({ spec }: StatefulSet): number {
  return spec?.replicas ?? 1;
}

/** Undefined for a pod whose name is not one that the set gives. */
export function ordinalOf(set: StatefulSet, { metadata }: Pod): number | undefined {
  const { name = '' } = metadata;
  const prefix = `${set.metadata.name}-`;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d{0,8})$/.test(rest) ? Number(rest) : undefined;
}

export interface Ordinal {
  readonly ordinal: number;
  readonly template: PodTemplateSpec;
  /** The name of the template's revision. */
  readonly revision: string;
}

export function statefulPod(set: StatefulSet, { ordinal, template, revision }: Ordinal): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  const { generateName: _, ...metadata } = podFromTemplate(template, set, STATEFUL_SET).metadata;
  const spec = template.spec ?? { containers: [] };
  const claimed = claimVolumes(set, ordinal);
  const kept = (spec.volumes ?? []).filter((volume) => !claimed.some((one) => one.name === volume.name));
  const volumes = [...kept, ...claimed];
  const { serviceName = '' } = set.spec ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, [REVISION_HASH]: revision, [POD_NAME]: name, [POD_INDEX]: `${ordinal}` },
    },
    spec: {
      ...spec,
      hostname: name,
      ...(serviceName === '' ? {} : { subdomain: serviceName }),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}

function claimVolumes(set: StatefulSet, ordinal: number): Volume[] {
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata.name ?? '',
    persistentVolumeClaim: { claimName: claimName(set, metadata.name ?? '', ordinal) },
  }));
}

function claimName(set: StatefulSet, template: string, ordinal: number): string {
  return `${template}-${set.metadata.name}-${ordinal}`;
}

/** The claims of an ordinal as they are made when they are missing. */
export function claimsOf(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { volumeClaimTemplates = [], selector } = set.spec ?? {};
  return volumeClaimTemplates.map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(set, metadata.name ?? '', ordinal),
      namespace: set.metadata.namespace ?? '',
      labels: { ...metadata.labels, ...selector?.matchLabels },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
    },
    ...(spec === undefined ? {} : { spec }),
  }));
}

/** The owners a claim should have so that it goes when the retention policy says so; undefined when it has them. */
export function claimOwners(
  set: StatefulSet,
  claim: PersistentVolumeClaim,
  condemned: Pod | undefined,
): readonly OwnerReference[] | undefined {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const wanted: OwnerReference[] = [];
  if (condemned !== undefined && whenScaled === 'Delete') wanted.push(reference('v1', 'Pod', condemned));
  else if (whenDeleted === 'Delete') wanted.push(reference('apps/v1', 'StatefulSet', set));
  const { ownerReferences = [] } = claim.metadata;
  const foreign = ownerReferences.filter(({ kind }) => kind !== 'Pod' && kind !== 'StatefulSet');
  const ours = ownerReferences.filter((owner) => !foreign.includes(owner));
  const isAsWanted =
    ours.length === wanted.length && wanted.every(({ uid }) => ours.some((owner) => owner.uid === uid));
  return isAsWanted ? undefined : [...foreign, ...wanted];
}

function reference(apiVersion: string, kind: string, { metadata }: Pod | StatefulSet): OwnerReference {
  return { apiVersion, kind, name: metadata.name ?? '', uid: metadata.uid ?? '', blockOwnerDeletion: true };
}
