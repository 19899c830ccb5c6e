/** Rules between a pod's claims and a node. Pure but for its lookups. */
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@skerry/api/types';
import { claimNamesOf } from '../../volumes/claim-names.ts';
import { LOCAL_PATH } from '../../volumes/local-path.ts';
import { classOf, findVolume, isReachableFrom, waitsForConsumer } from '../volumes/match.ts';

export interface VolumeLookups {
  readonly claim: (key: string) => PersistentVolumeClaim | undefined;
  readonly volume: (name: string) => PersistentVolume | undefined;
  readonly volumes: () => readonly PersistentVolume[];
  readonly storageClass: (name: string) => StorageClass | undefined;
}

export interface ClaimsOfPod {
  /** Why no node at all is possible. */
  readonly problem: string | undefined;
  /** Claims that are bound once a node is chosen. */
  readonly waiting: readonly PersistentVolumeClaim[];
  /** Why one node is not; undefined when it is. */
  readonly check: (node: Node) => string | undefined;
}

const NO_CLAIMS: ClaimsOfPod = { problem: undefined, waiting: [], check: () => undefined };

export function claimsOfPod(pod: Pod, lookups: VolumeLookups): ClaimsOfPod {
  const bound: PersistentVolume[] = [];
  const waiting: PersistentVolumeClaim[] = [];
  for (const name of claimNamesOf(pod)) {
    const claim = lookups.claim(`${pod.metadata.namespace}/${name}`);
    if (claim === undefined) return impossible(`persistentvolumeclaim "${name}" not found`);
    if (claim.metadata.deletionTimestamp !== undefined) {
      return impossible(`persistentvolumeclaim "${name}" is being deleted`);
    }
    const volume = claim.status?.phase === 'Bound' ? lookups.volume(claim.spec?.volumeName ?? '') : undefined;
    if (volume !== undefined) bound.push(volume);
    else if (!claim.spec?.volumeName && waitsForConsumer(lookups.storageClass(classOf(claim)))) waiting.push(claim);
    else return impossible('pod has unbound immediate PersistentVolumeClaims');
  }
  if (bound.length + waiting.length === 0) return NO_CLAIMS;
  return { problem: undefined, waiting, check: (node) => checkNode(node, { bound, waiting, lookups }) };
}

function impossible(problem: string): ClaimsOfPod {
  return { ...NO_CLAIMS, problem };
}

interface Wanted {
  readonly bound: readonly PersistentVolume[];
  readonly waiting: readonly PersistentVolumeClaim[];
  readonly lookups: VolumeLookups;
}

function checkNode(node: Node, { bound, waiting, lookups }: Wanted): string | undefined {
  if (!bound.every((volume) => isReachableFrom(volume, node))) return 'node(s) had volume node affinity conflict';
  const isServed = (claim: PersistentVolumeClaim) => {
    const storageClass = lookups.storageClass(classOf(claim));
    const isProvisioned = storageClass?.provisioner === LOCAL_PATH && isAllowed(storageClass, node);
    return isProvisioned || findVolume(claim, lookups.volumes(), node) !== undefined;
  };
  return waiting.every(isServed) ? undefined : "node(s) didn't find available persistent volumes to bind";
}

/** `allowedTopologies`: where volumes of the class may be made. */
function isAllowed({ allowedTopologies = [] }: StorageClass, { metadata: { labels = {} } }: Node): boolean {
  const matches = (term: (typeof allowedTopologies)[number]) =>
    (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? ''));
  return allowedTopologies.length === 0 || allowedTopologies.some(matches);
}
