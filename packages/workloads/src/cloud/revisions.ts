/** The history of a DaemonSet or StatefulSet: one ControllerRevision for each template it had. Pure. */
import type { Gvk } from '@skerry/api';
import type { ControllerRevision, DaemonSet, Pod, PodTemplateSpec, StatefulSet } from '@skerry/api/types';
import { canonicalJson, encodeHash, fnv32a, isSame } from './canonical.ts';
import { controllerReference } from './owners.ts';

export type Revisioned = DaemonSet | StatefulSet;

export const REVISION_HASH = 'controller-revision-hash';

export interface HistoryDiff {
  /** The revision of today's template; to be made when `create` is true. */
  readonly current: ControllerRevision;
  readonly create: boolean;
  /** Today's template was used before: its revision becomes the newest. */
  readonly renumber: number | undefined;
  readonly remove: readonly ControllerRevision[];
}

export interface HistoryInput {
  readonly owner: Revisioned;
  readonly gvk: Gvk;
  readonly revisions: readonly ControllerRevision[];
  /** Whether a pod still runs it: such a revision is never removed. */
  readonly isInUse: (revision: ControllerRevision) => boolean;
}

export function diffHistory({ owner, gvk, revisions, isInUse }: HistoryInput): HistoryDiff {
  const data = revisionData(owner);
  const found = revisions.filter((revision) => isSame(revision.data, data)).sort((a, b) => b.revision - a.revision)[0];
  const others = revisions.filter((revision) => revision !== found);
  const next = Math.max(0, ...others.map(({ revision }) => revision)) + 1;
  return {
    current: found ?? newRevision({ owner, gvk, data, revision: next }),
    create: found === undefined,
    renumber: found !== undefined && found.revision < next ? next : undefined,
    remove: outdated(
      owner,
      others.filter((revision) => !isInUse(revision)),
    ),
  };
}

/** The template that a revision stands for. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const { template = {} } = (data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } }).spec ?? {};
  const { $patch: _, ...rest } = template as PodTemplateSpec & { $patch?: string };
  return rest;
}

export function hashOf({ metadata }: ControllerRevision | Pod): string {
  return metadata.labels?.[REVISION_HASH] ?? '';
}

/** A strategic merge patch that brings the template back: what `kubectl rollout undo` sends. */
function revisionData({ spec }: Revisioned): { spec: { template: object } } {
  return { spec: { template: { ...spec?.template, $patch: 'replace' } } };
}

interface NewRevision {
  readonly owner: Revisioned;
  readonly gvk: Gvk;
  readonly data: object;
  readonly revision: number;
}

function newRevision({ owner, gvk, data, revision }: NewRevision): ControllerRevision {
  const { name = '', namespace = '', annotations } = owner.metadata;
  const collisions = owner.status?.collisionCount ?? 0;
  const hash = encodeHash(fnv32a(`${canonicalJson(data)}${collisions === 0 ? '' : `#${collisions}`}`));
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...owner.spec?.template.metadata?.labels, [REVISION_HASH]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(owner, gvk)],
    },
    data,
    revision,
  };
}

const DEFAULT_HISTORY_LIMIT = 10;

/** The oldest beyond the limit. */
function outdated({ spec }: Revisioned, unused: readonly ControllerRevision[]): readonly ControllerRevision[] {
  const limit = spec?.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT;
  const excess = Math.max(0, unused.length - limit);
  return [...unused].sort((left, right) => left.revision - right.revision).slice(0, excess);
}
