/** Mirrors the metadata of everything that can be deleted into the graph; kinds come and go with their definitions. */
import type { KubeObject } from '@skerry/api';
import { type Change, type Informer, startInformer } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { type Kind, resourceId, type ServedKinds } from '../served-kinds.ts';
import { type Graph, itemOf } from './graph.ts';

export interface Mirror {
  /** True once every kind that there is was seen whole: before that, what is missing may be there. */
  isComplete(): boolean;
  start(enqueue: (uid: string) => void): () => void;
}

interface Running {
  readonly kind: Kind;
  readonly informer: Informer;
  readonly stop: () => void;
}

/** Events own nothing and nobody owns them; they are many. */
const IGNORED = new Set(['/events', 'events.k8s.io/events']);

export function openMirror(context: CloudContext, kinds: ServedKinds, graph: Graph): Mirror {
  const running = new Map<string, Running>();
  let areKindsKnown = false;
  return {
    isComplete: () => areKindsKnown && [...running.values()].every(({ informer }) => informer.hasSynced),
    start: (enqueue) => {
      const follow = () => followKinds(context, { kinds, graph, running, enqueue });
      follow();
      kinds.synced.then(
        () => {
          areKindsKnown = true;
        },
        () => {},
      );
      const end = kinds.onChange(follow);
      return () => {
        end();
        for (const { stop } of running.values()) stop();
      };
    },
  };
}

interface Following {
  readonly kinds: ServedKinds;
  readonly graph: Graph;
  readonly running: Map<string, Running>;
  readonly enqueue: (uid: string) => void;
}

function followKinds(context: CloudContext, { kinds, graph, running, enqueue }: Following): void {
  const wanted = new Map(
    kinds
      .list()
      .filter(isCollectable)
      .map((kind) => [resourceId(kind.gvr), kind]),
  );
  for (const [id, { kind, informer, stop }] of running) {
    if (wanted.get(id)?.gvr.version === kind.gvr.version) continue;
    stop();
    running.delete(id);
    // Objects of a kind that is gone are gone; those of one that moved to another version are found again there.
    for (const { metadata } of informer.cache.list()) graph.remove(metadata.uid ?? '').forEach(enqueue);
  }
  for (const [id, kind] of wanted) {
    if (!running.has(id)) running.set(id, mirrorKind(context, kind, graph, enqueue));
  }
}

function isCollectable({ gvr, verbs }: Kind): boolean {
  return !IGNORED.has(resourceId(gvr)) && ['delete', 'list', 'watch'].every((verb) => verbs.includes(verb));
}

function mirrorKind(context: CloudContext, kind: Kind, graph: Graph, enqueue: (uid: string) => void): Running {
  const controller = new AbortController();
  const stop = () => controller.abort();
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  const informer = startInformer({ ...context, signal: controller.signal }, { gvr: kind.gvr, transform: metadataOnly });
  informer.onChange(({ type, object }: Change) => {
    const concerned = type === 'delete' ? graph.remove(object.metadata.uid ?? '') : graph.put(itemOf(kind, object));
    concerned.forEach(enqueue);
  });
  return {
    kind,
    informer,
    stop: () => {
      context.signal.removeEventListener('abort', stop);
      stop();
    },
  };
}

function metadataOnly({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, ownerReferences, finalizers, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
  };
}
