/** A DaemonSet's history: one ControllerRevision for each template it had. Pure. */
import type { ControllerRevision, DaemonSet, Pod } from '@skerry/api/types';
import { canonicalJson, encodeHash, fnv32a, isSame } from '../canonical.ts';
import { controllerReference } from '../owners.ts';

export const DAEMON_SET = { group: 'apps', version: 'v1', kind: 'DaemonSet' } as const;
export const REVISION_HASH = 'controller-revision-hash';

export interface HistoryDiff {
  /** The revision of today's template; to be made when `create` is true. */
  readonly current: ControllerRevision;
  readonly create: boolean;
  /** Today's template was used before: its revision becomes the newest. */
  readonly renumber: number | undefined;
  readonly remove: readonly ControllerRevision[];
}

export function diffHistory(
  daemonSet: DaemonSet,
  revisions: readonly ControllerRevision[],
  pods: readonly Pod[],
): HistoryDiff {
  const data = revisionData(daemonSet);
  const found = revisions.filter((revision) => isSame(revision.data, data)).sort((a, b) => b.revision - a.revision)[0];
  const others = revisions.filter((revision) => revision !== found);
  const next = Math.max(0, ...others.map(({ revision }) => revision)) + 1;
  const current = found ?? newRevision(daemonSet, data, next);
  return {
    current,
    create: found === undefined,
    renumber: found !== undefined && found.revision < next ? next : undefined,
    remove: outdated(daemonSet, others, pods),
  };
}

export function hashOf({ metadata }: ControllerRevision | Pod): string {
  return metadata.labels?.[REVISION_HASH] ?? '';
}

/** A strategic merge patch that brings the template back: what `kubectl rollout undo` sends. */
function revisionData({ spec }: DaemonSet): { spec: { template: object } } {
  return { spec: { template: { ...spec?.template, $patch: 'replace' } } };
}

function newRevision(daemonSet: DaemonSet, data: object, revision: number): ControllerRevision {
  const { name = '', namespace = '', annotations } = daemonSet.metadata;
  const collisions = daemonSet.status?.collisionCount ?? 0;
  const hash = encodeHash(fnv32a(`${canonicalJson(data)}${collisions === 0 ? '' : `#${collisions}`}`));
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...daemonSet.spec?.template.metadata?.labels, [REVISION_HASH]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(daemonSet, DAEMON_SET)],
    },
    data,
    revision,
  };
}

const DEFAULT_HISTORY_LIMIT = 10;

/** The oldest beyond the limit, save those that a pod still runs. */
function outdated(
  { spec }: DaemonSet,
  old: readonly ControllerRevision[],
  pods: readonly Pod[],
): readonly ControllerRevision[] {
  const inUse = new Set(pods.map(hashOf));
  const unused = old.filter((revision) => !inUse.has(hashOf(revision)));
  const limit = spec?.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT;
  const excess = Math.max(0, unused.length - limit);
  return [...unused].sort((left, right) => left.revision - right.revision).slice(0, excess);
}
