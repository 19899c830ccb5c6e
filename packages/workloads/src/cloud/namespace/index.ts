/** Namespace deletion: all content goes, pods before what they use, and the namespace last. */
import { isStatus } from '@skerry/api';
import type { Namespace } from '@skerry/api/types';
import { type BackoffPolicy, backoffCeiling, messageOf } from '@skerry/base';
import { type ControllerSpec, type Informer, keyOf, type Requeue, watching } from '@skerry/kube/controller';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { inBatches } from '../in-batches.ts';
import { NAMESPACES } from '../resources.ts';
import { type Kind, type ServedKinds, servedKinds } from '../served-kinds.ts';
import { deletionConditions, type Remainder } from './conditions.ts';

const FINALIZER = 'kubernetes';

/** What has finalizers or grace is looked at again, soon at first: most pods end at once. */
const RECHECK: BackoffPolicy = { baseMs: 50, capMs: 1000 };

/** How many resources are cleared at the same time. */
const PARALLEL = 8;

/** How many objects of one resource are looked at for the finalizers they still have. */
const SAMPLE = 100;

export function namespaceController(context: CloudContext): ControllerSpec {
  const namespaces = context.informers.informer<Namespace>({ gvr: NAMESPACES });
  const world: World = {
    ...context,
    namespaces,
    kinds: servedKinds(context.rows, context.informers),
    rounds: new Map(),
  };
  return {
    name: 'namespace',
    watches: [watching(namespaces, ({ type, object }) => (type === 'delete' ? [] : [keyOf(object)]))],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly namespaces: Informer<Namespace>;
  readonly kinds: ServedKinds;
  /** How often each namespace was looked at in vain. */
  readonly rounds: Map<string, number>;
}

async function reconcile(world: World, name: string): Promise<Requeue | undefined> {
  const namespace = world.namespaces.cache.get(name);
  if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
  if (namespace.spec?.finalizers?.includes(FINALIZER) !== true) return undefined;
  await world.kinds.synced;
  const remainders = await clear(world, name);
  if (remainders.length === 0) {
    world.rounds.delete(name);
    await finalize(world, namespace);
    return undefined;
  }
  await writeConditions(world, namespace, remainders);
  const round = world.rounds.get(name) ?? 0;
  world.rounds.set(name, round + 1);
  return { afterMs: backoffCeiling(RECHECK, round) };
}

/** Deletes what is there and gives back what is left. */
async function clear({ client, kinds }: World, namespace: string): Promise<readonly Remainder[]> {
  const deletable = kinds
    .list()
    .filter(({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete'));
  const isPods = ({ gvr }: Kind) => gvr.group === '' && gvr.resource === 'pods';
  // A pod must not outlive the policies and secrets it was started under.
  for (const stage of [deletable.filter(isPods), deletable.filter((kind) => !isPods(kind))]) {
    const remainders = await inBatches(stage, PARALLEL, (kind) => clearKind(client, kind, namespace));
    const left = remainders.filter(({ count, failure }) => count > 0 || failure !== undefined);
    if (left.length > 0) return left;
  }
  return [];
}

async function clearKind(client: World['client'], kind: Kind, namespace: string): Promise<Remainder> {
  const resource = `${kind.gvr.resource}.${kind.gvr.group}`;
  const nothing = { resource, count: 0, finalizers: [] };
  try {
    const before = await client.list(kind.gvr, { namespace, limit: 1 });
    if (before.items.length === 0) return nothing;
    await client.deleteCollection(kind.gvr, { namespace });
    const after = await client.list(kind.gvr, { namespace, limit: SAMPLE });
    return {
      resource,
      count: after.items.length + (after.metadata.remainingItemCount ?? 0),
      finalizers: after.items.flatMap(({ metadata }) => metadata.finalizers ?? []),
    };
  } catch (error) {
    // A definition may go while its objects are looked for.
    if (isStatus(error, 'NotFound', 'MethodNotAllowed')) return nothing;
    return { ...nothing, failure: messageOf(error) };
  }
}

async function finalize({ client }: World, namespace: Namespace): Promise<void> {
  const finalizers = namespace.spec?.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
  try {
    await client.update(
      NAMESPACES,
      { ...namespace, spec: { ...namespace.spec, finalizers } },
      { subresource: 'finalize' },
    );
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
}

async function writeConditions(
  { client, clock }: World,
  namespace: Namespace,
  remainders: readonly Remainder[],
): Promise<void> {
  const conditions = deletionConditions(namespace.status?.conditions, remainders, clock.now());
  if (isSame(conditions, namespace.status?.conditions)) return;
  const status = { ...namespace.status, conditions };
  await client.update<Namespace>(NAMESPACES, { ...namespace, status }, { subresource: 'status' });
}
