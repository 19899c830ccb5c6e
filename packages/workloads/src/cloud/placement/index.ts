/** Placement: writes `status.nodes` of every object of ours that has `spec.placement`, whichever kinds there are. */
import type { Gvr, KubeObject } from '@skerry/api';
import type { CustomResourceDefinition, Node } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import {
  type Change,
  type ControllerContext,
  type Informer,
  keyOf,
  parseObjectKey,
  runController,
  startInformer,
  watching,
} from '@skerry/kube/controller';
import { hasPlacement, placedNodesOf, placementOf, resolvePlacement } from './resolve.ts';

const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

export interface PlacementOptions extends ControllerContext {
  readonly client: Client;
}

/** Works until `signal` aborts; kinds come and go with their definitions. */
export async function runPlacement(options: PlacementOptions): Promise<void> {
  const { signal } = options;
  const nodes = startInformer<Node>(options, { gvr: NODES });
  const definitions = startInformer<CustomResourceDefinition>(options, { gvr: DEFINITIONS });
  const running = new Map<string, AbortController>();
  const end = definitions.onChange((change) => follow(options, nodes, running, change));
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  end();
  for (const each of running.values()) each.abort();
}

function follow(
  options: PlacementOptions,
  nodes: Informer<Node>,
  running: Map<string, AbortController>,
  { type, object }: Change<CustomResourceDefinition>,
): void {
  const name = object.metadata.name ?? '';
  const isEstablished =
    object.status?.conditions?.some((each) => each.type === 'Established' && each.status === 'True') === true;
  const isWanted = type !== 'delete' && hasPlacement(object) && isEstablished;
  if (isWanted === running.has(name)) return;
  running.get(name)?.abort();
  running.delete(name);
  if (!isWanted) return;
  const stop = new AbortController();
  running.set(name, stop);
  void runForKind({ ...options, signal: stop.signal }, nodes, gvrOf(object));
}

function gvrOf({ spec }: CustomResourceDefinition): Gvr {
  const version =
    spec.versions.find(({ served, storage }) => served && storage) ?? spec.versions.find(({ served }) => served);
  return { group: spec.group, version: version?.name ?? '', resource: spec.names.plural };
}

function runForKind(options: PlacementOptions, nodes: Informer<Node>, gvr: Gvr): Promise<void> {
  const objects = startInformer(options, { gvr });
  return runController(
    {
      name: `placement-${gvr.resource}`,
      watches: [
        watching(objects, ({ object }) => [keyOf(object)]),
        // A node's labels decide about every object; heartbeats do not.
        watching(nodes, (change) => (isRelevant(change) ? objects.cache.list().map(keyOf) : [])),
      ],
      reconcile: async (key) => {
        const object = objects.cache.get(key);
        if (object !== undefined) await place(options.client, gvr, object, nodes.cache.list());
        return undefined;
      },
    },
    options,
  );
}

function isRelevant(change: Change<Node>): boolean {
  if (change.type !== 'update') return true;
  return JSON.stringify(change.object.metadata.labels) !== JSON.stringify(change.previous.metadata.labels);
}

async function place(client: Client, gvr: Gvr, object: KubeObject, nodes: readonly Node[]): Promise<void> {
  const wanted = resolvePlacement(placementOf(object), nodes);
  const known = placedNodesOf(object);
  if (wanted.length === known.length && wanted.every((name, index) => name === known[index])) return;
  const { resourceVersion } = object.metadata;
  const patch = { metadata: { resourceVersion }, status: { nodes: wanted } };
  await client.patch({ gvr, ...parseObjectKey(keyOf(object)) }, patch, { type: 'merge', subresource: 'status' });
}
