/** ImagePull: makes a task for each of its nodes, so many at once, and sums up what the nodes say. */
import { createHash } from 'node:crypto';
import { formatApiVersion } from '@skerry/api';
import type { Node } from '@skerry/api/types';
import {
  type Change,
  type ControllerSpec,
  formatObjectKey,
  type Informer,
  keyOf,
  type Requeue,
  watching,
} from '@skerry/kube/controller';
import {
  IMAGE_PULL,
  IMAGE_PULL_TASK,
  IMAGE_PULL_TASKS,
  IMAGE_PULLS,
  type ImagePull,
  type ImagePullTask,
  type ImagePullTaskSpec,
} from '../../image-kinds/index.ts';
import { isSameStatus } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { isReachable } from '../node-facts.ts';
import { controlledBy, controllerOf, controllerReference, indexByController } from '../owners.ts';
import { NODES } from '../resources.ts';
import { createIfMissing, deleteIfThere, refOf } from '../writes.ts';
import { planPull } from './plan.ts';

interface World extends CloudContext {
  readonly pulls: Informer<ImagePull>;
  readonly tasks: Informer<ImagePullTask>;
  readonly nodes: Informer<Node>;
}

const MAX_NAME_LENGTH = 253;
const BY_NODE = 'node';

export function imagePullController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { pulls, tasks, nodes } = world;
  return {
    name: 'imagepull',
    watches: [
      watching(pulls, ({ object }) => [keyOf(object)]),
      watching(tasks, ({ object }) => ownerKeys(object)),
      watching(nodes, (change) => (changesReach(change) ? pullsAt(world, change.object) : [])),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

function openWorld(context: CloudContext): World {
  const { informers } = context;
  const pulls = informers.informer<ImagePull>({ gvr: IMAGE_PULLS });
  const tasks = informers.informer<ImagePullTask>({ gvr: IMAGE_PULL_TASKS });
  pulls.addIndex(BY_NODE, ({ status }) => status?.nodes ?? []);
  indexByController(tasks);
  return { ...context, pulls, tasks, nodes: informers.informer<Node>({ gvr: NODES }) };
}

function ownerKeys(task: ImagePullTask): readonly string[] {
  const owner = controllerOf(task);
  if (owner?.kind !== IMAGE_PULL.kind) return [];
  return [formatObjectKey({ namespace: task.metadata.namespace ?? '', name: owner.name })];
}

function changesReach({ type, object, previous }: Change<Node>): boolean {
  return type !== 'update' || isReachable(object) !== isReachable(previous);
}

function pullsAt({ pulls }: World, { metadata }: Node): readonly string[] {
  return pulls.cache.byIndex(BY_NODE, metadata.name ?? '').map(keyOf);
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { client, pulls, tasks, nodes, clock } = world;
  const pull = pulls.cache.get(key);
  if (pull === undefined || pull.metadata.deletionTimestamp !== undefined) return undefined;
  const plan = planPull({
    pull,
    tasks: controlledBy(tasks, pull),
    isReachable: (name) => isReachable(nodes.cache.get(name)),
    now: clock.now(),
  });
  for (const task of plan.remove) await deleteIfThere(client, refOf(IMAGE_PULL_TASKS, task));
  for (const { task, spec } of plan.update) await client.update<ImagePullTask>(IMAGE_PULL_TASKS, { ...task, spec });
  for (const spec of plan.create) await createIfMissing(client, IMAGE_PULL_TASKS, taskOf(pull, spec));
  if (!isSameStatus(plan.status, pull.status)) {
    await client.update<ImagePull>(IMAGE_PULLS, { ...pull, status: plan.status }, { subresource: 'status' });
  }
  return plan.recheckAfterMs === undefined ? undefined : { afterMs: plan.recheckAfterMs };
}

function taskOf(pull: ImagePull, spec: ImagePullTaskSpec): ImagePullTask {
  const { namespace } = pull.metadata;
  return {
    apiVersion: formatApiVersion(IMAGE_PULL_TASK),
    kind: IMAGE_PULL_TASK.kind,
    metadata: {
      name: taskName(pull.metadata.name ?? '', spec.nodeName),
      ...(namespace === undefined ? {} : { namespace }),
      ownerReferences: [controllerReference(pull, IMAGE_PULL)],
    },
    spec,
  };
}

/** Both names where they fit, else as much of them as does, and a hash of both. */
function taskName(pull: string, node: string): string {
  const name = `${pull}-${node}`;
  if (name.length <= MAX_NAME_LENGTH) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${name.slice(0, MAX_NAME_LENGTH - hash.length - 1).replace(/[-.]+$/, '')}-${hash}`;
}
