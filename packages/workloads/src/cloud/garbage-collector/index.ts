/** Garbage collection: what lost its owners goes; who waits for dependents, or frees them, is let go in the end. */
import { isStatus, type OwnerReference, type Ref } from '@skerry/api';
import type { ControllerSpec, Requeue } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { type ServedKinds, servedKinds } from '../served-kinds.ts';
import { deleteIfThere } from '../writes.ts';
import { type Decision, decide, dependsOnOwners, type OwnerState } from './decide.ts';
import { FOREGROUND, Graph, type Item, isWaitingForDependents, ORPHAN } from './graph.ts';
import { type Mirror, openMirror } from './mirror.ts';

/** While a mirror is not whole, or an owner's kind is unknown, look again after this long. */
const RECHECK_MS = 500;
const UNKNOWN_KIND_RECHECK_MS = 30_000;

/** How many owners that are gone are remembered, so that a thousand dependents of one ask only once. */
const MAX_GONE_OWNERS = 4096;

export function garbageCollector(context: CloudContext): ControllerSpec {
  const kinds = servedKinds(context.rows, context.informers);
  const graph = new Graph();
  const mirror = openMirror(context, kinds, graph);
  const collector: Collector = { ...context, kinds, graph, mirror, gone: new Set(), enqueue: () => {} };
  return {
    name: 'garbage-collector',
    watches: [],
    source: (enqueue) => {
      collector.enqueue = enqueue;
      return mirror.start(enqueue);
    },
    reconcile: (uid) => reconcile(collector, uid),
    concurrency: 20,
  };
}

interface Collector extends CloudContext {
  readonly kinds: ServedKinds;
  readonly graph: Graph;
  readonly mirror: Mirror;
  /** Namespace and uid: a uid that is gone never comes back. */
  readonly gone: Set<string>;
  enqueue: (uid: string) => void;
}

async function reconcile(collector: Collector, uid: string): Promise<Requeue | undefined> {
  const { graph, mirror } = collector;
  const item = graph.get(uid);
  if (item === undefined) return undefined;
  if (!mirror.isComplete()) return { afterMs: RECHECK_MS };
  const states = dependsOnOwners(item) ? await ownerStates(collector, item) : new Map<string, OwnerState>();
  if (states === undefined) return { afterMs: UNKNOWN_KIND_RECHECK_MS };
  await carryOut(collector, item, decide({ item, dependents: graph.dependentsOf(uid), states }));
  return undefined;
}

/** Undefined when the kind of an owner is unknown: nobody can say then whether it is there. */
async function ownerStates(collector: Collector, item: Item): Promise<Map<string, OwnerState> | undefined> {
  const states = new Map<string, OwnerState>();
  for (const owner of item.owners) {
    const state = await ownerState(collector, item, owner);
    if (state === undefined) return undefined;
    states.set(owner.uid, state);
  }
  return states;
}

async function ownerState(collector: Collector, item: Item, owner: OwnerReference): Promise<OwnerState | undefined> {
  const { graph, gone } = collector;
  const known = graph.get(owner.uid);
  if (known !== undefined) {
    // An owner in another namespace is none.
    if (known.namespace !== '' && known.namespace !== item.namespace) return 'gone';
    return isWaitingForDependents(known) ? 'waiting' : 'there';
  }
  const id = `${item.namespace}/${owner.uid}`;
  if (gone.has(id)) return 'gone';
  const state = await askForOwner(collector, item, owner);
  if (state === 'gone') remember(gone, id);
  return state;
}

function remember(gone: Set<string>, id: string): void {
  gone.add(id);
  for (const oldest of gone) {
    if (gone.size <= MAX_GONE_OWNERS) return;
    gone.delete(oldest);
  }
}

/** The mirrors of two kinds are not in step: only the API itself can say that an owner is gone. */
async function askForOwner(
  { client, kinds }: Collector,
  item: Item,
  owner: OwnerReference,
): Promise<OwnerState | undefined> {
  const kind = kinds.find(owner.apiVersion, owner.kind);
  if (kind === undefined) return undefined;
  if (kind.namespaced && item.namespace === '') return 'gone';
  const ref = { gvr: kind.gvr, name: owner.name, ...(kind.namespaced ? { namespace: item.namespace } : {}) };
  try {
    const live = await client.get(ref);
    return live.metadata.uid === owner.uid ? 'there' : 'gone';
  } catch (error) {
    // The answer must be about this object: a resource that is not served right now says nothing of what it holds.
    if (isStatus(error, 'NotFound')) return error.status.details?.name === owner.name ? 'gone' : undefined;
    throw error;
  }
}

async function carryOut(collector: Collector, item: Item, decision: Decision): Promise<void> {
  const { client, graph, log, enqueue } = collector;
  switch (decision.action) {
    case 'keep':
      return;
    case 'orphanDependents':
      for (const dependent of graph.dependentsOf(item.uid)) {
        await writeOwners(collector, dependent, withoutOwner(dependent, item.uid));
      }
      return removeFinalizer(collector, item, ORPHAN);
    case 'release':
      return removeFinalizer(collector, item, FOREGROUND);
    case 'waitFor':
      // One that waits itself is looked at again by its own dependents' events; two that call each other would never rest.
      for (const each of decision.dependents) if (!isWaitingForDependents(each)) enqueue(each.uid);
      return;
    case 'dropOwners':
      return writeOwners(collector, item, decision.keep);
    case 'unblockOwners':
      return writeOwners(collector, item, decision.owners);
    case 'delete': {
      // The version makes sure that the owners are still those that were judged; whatever changed comes again by its event.
      const { uid, resourceVersion } = item;
      const options = { uid, resourceVersion, propagationPolicy: decision.policy };
      if (await deleteIfThere(client, refOf(item), options)) {
        log.debug({ kind: item.kind.gvk.kind, namespace: item.namespace, name: item.name }, 'collected');
      }
      return;
    }
  }
}

function withoutOwner({ owners }: Item, uid: string): readonly OwnerReference[] {
  return owners.filter((owner) => owner.uid !== uid);
}

function writeOwners(collector: Collector, item: Item, ownerReferences: readonly OwnerReference[]): Promise<void> {
  return patchMetadata(collector, item, { ownerReferences });
}

function removeFinalizer(collector: Collector, item: Item, finalizer: string): Promise<void> {
  return patchMetadata(collector, item, { finalizers: item.finalizers.filter((one) => one !== finalizer) });
}

async function patchMetadata({ client }: Collector, item: Item, change: object): Promise<void> {
  const { uid, resourceVersion } = item;
  try {
    await client.patch(refOf(item), { metadata: { uid, resourceVersion, ...change } }, { type: 'merge' });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
}

function refOf({ kind, namespace, name }: Item): Ref {
  return { gvr: kind.gvr, name, ...(namespace === '' ? {} : { namespace }) };
}
