/** Counts the objects of those kinds that some quota names, and of no others. */
import type { KubeObject } from '@skerry/api';
import {
  type Amounts,
  type CountedKind,
  countedNames,
  isInScope,
  isOnlyCounted,
  plus,
  things,
  total,
  Usages,
} from '@skerry/api/quota';
import type { ResourceQuota } from '@skerry/api/types';
import { type Informer, startInformer } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { type Kind, resourceId } from '../served-kinds.ts';

export interface Census {
  /** Hears of namespaces in which something changed that may count, or of all when a count has become whole. */
  start(onChange: (namespace?: string) => void): () => void;
  /** Begins to count a kind unless it is counted; true once its count is whole. */
  count(kind: Kind): boolean;
  /** What is stored of these kinds takes this of the quota. */
  usedOf(quota: ResourceQuota, kinds: readonly Kind[], now: number): Amounts;
  /** Forgets kinds that are not served any more. */
  keepOnly(kinds: readonly Kind[]): void;
}

interface Counted {
  readonly kind: Kind;
  readonly informer: Informer;
  readonly stop: () => void;
}

export function openCensus(context: CloudContext): Census {
  const counted = new Map<string, Counted>();
  const usages = new Usages();
  const listeners = new Set<(namespace?: string) => void>();
  const tell = (namespace?: string) => {
    for (const listener of listeners) listener(namespace);
  };
  const keepOnly = (kinds: readonly Kind[]) => {
    const versions = new Map(kinds.map(({ gvr }) => [resourceId(gvr), gvr.version]));
    for (const [id, { kind, stop }] of counted) {
      if (versions.get(id) === kind.gvr.version) continue;
      stop();
      counted.delete(id);
    }
  };
  return {
    start: (onChange) => {
      listeners.add(onChange);
      return () => {
        listeners.delete(onChange);
        keepOnly([]);
      };
    },
    count: (kind) => {
      const id = resourceId(kind.gvr);
      const known = counted.get(id) ?? startCounting(context, kind, tell);
      counted.set(id, known);
      return known.informer.hasSynced;
    },
    usedOf: (quota, kinds, now) =>
      kinds.reduce<Amounts>((used, { gvr }) => {
        const informer = counted.get(resourceId(gvr))?.informer;
        return informer === undefined
          ? used
          : plus(
              used,
              usedOfKind(quota, informer, (of, object) => usages.of(of, object, now)),
            );
      }, new Map()),
    keepOnly,
  };
}

function startCounting(context: CloudContext, kind: Kind, tell: (namespace?: string) => void): Counted {
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const informer = isOnlyCounted(kind.gvr)
    ? startInformer({ ...context, signal }, { gvr: kind.gvr, transform: nameOnly })
    : context.informers.informer({ gvr: kind.gvr });
  const endChanges = informer.onChange(({ type, object }) => {
    if (type !== 'update' || !isOnlyCounted(kind.gvr)) tell(object.metadata.namespace ?? '');
  });
  if (!informer.hasSynced)
    informer.synced.then(
      () => tell(),
      () => {},
    );
  return {
    kind,
    informer,
    stop: () => {
      endChanges();
      ended.abort();
    },
  };
}

function nameOnly({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } };
}

/** What is named and not there takes nothing, which is shown too. */
function usedOfKind(
  quota: ResourceQuota,
  informer: Informer,
  usageOf: (of: CountedKind, object: KubeObject) => Amounts,
): Amounts {
  const of = informer.selection.gvr;
  const names = countedNames(of, Object.keys(quota.spec?.hard ?? {}));
  const nothing = new Map(names.map((name) => [name, things(0)]));
  const objects = informer.cache.inNamespace(quota.metadata.namespace ?? '');
  const within = objects.filter((object) => isInScope(quota, of, object));
  return plus(
    nothing,
    total(
      within.map((object) => usageOf(of, object)),
      names,
    ),
  );
}
