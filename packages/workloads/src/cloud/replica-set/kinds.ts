/** A ReplicationController is a ReplicaSet whose selector is a plain map: one controller serves both. */
import type { Gvk, Gvr, KubeObject } from '@skerry/api';
import type { ReplicaSet, ReplicationController } from '@skerry/api/types';
import type { Change, Informer, InformerFactory } from '@skerry/kube/controller';
import { REPLICA_SETS, REPLICATION_CONTROLLERS } from '../resources.ts';

export interface ReplicaKind {
  /** The controller's name. */
  readonly name: string;
  /** In whose name events are recorded. */
  readonly component: string;
  readonly gvr: Gvr;
  readonly gvk: Gvk;
  readonly open: (informers: InformerFactory) => Informer<ReplicaSet>;
  /** The object as it is written. */
  readonly written: (replicaSet: ReplicaSet) => KubeObject;
}

export const REPLICA_SET_KIND: ReplicaKind = {
  name: 'replicaset',
  component: 'replicaset-controller',
  gvr: REPLICA_SETS,
  gvk: { group: 'apps', version: 'v1', kind: 'ReplicaSet' },
  open: (informers) => informers.informer<ReplicaSet>({ gvr: REPLICA_SETS }),
  written: (replicaSet) => replicaSet,
};

export const REPLICATION_CONTROLLER_KIND: ReplicaKind = {
  name: 'replicationcontroller',
  component: 'replication-controller',
  gvr: REPLICATION_CONTROLLERS,
  gvk: { group: '', version: 'v1', kind: 'ReplicationController' },
  open: (informers) => asReplicaSets(informers.informer<ReplicationController>({ gvr: REPLICATION_CONTROLLERS })),
  written: ({ spec, ...rest }) => ({ ...rest, spec: { ...spec, selector: spec?.selector?.matchLabels ?? {} } }),
};

const converted = new WeakMap<ReplicationController, ReplicaSet>();

/** The same object for the same version, so that what is compiled for it is found again. */
function toReplicaSet(controller: ReplicationController): ReplicaSet {
  const known = converted.get(controller);
  if (known !== undefined) return known;
  const { spec, ...rest } = controller;
  const { selector = {}, template = {}, ...numbers } = spec ?? {};
  const replicaSet: ReplicaSet = { ...rest, spec: { ...numbers, selector: { matchLabels: selector }, template } };
  converted.set(controller, replicaSet);
  return replicaSet;
}

function asReplicaSets(informer: Informer<ReplicationController>): Informer<ReplicaSet> {
  const { cache } = informer;
  return {
    selection: informer.selection,
    synced: informer.synced,
    get hasSynced() {
      return informer.hasSynced;
    },
    hasReached: (version) => informer.hasReached(version),
    addIndex: (name, valuesOf) => informer.addIndex(name, (controller) => valuesOf(toReplicaSet(controller))),
    onChange: (handler) => informer.onChange((change) => handler(convertChange(change))),
    cache: {
      get size() {
        return cache.size;
      },
      get: (key) => {
        const found = cache.get(key);
        return found === undefined ? undefined : toReplicaSet(found);
      },
      list: () => cache.list().map(toReplicaSet),
      inNamespace: (namespace) => cache.inNamespace(namespace).map(toReplicaSet),
      byIndex: (index, value) => cache.byIndex(index, value).map(toReplicaSet),
    },
  };
}

function convertChange(change: Change<ReplicationController>): Change<ReplicaSet> {
  const object = toReplicaSet(change.object);
  if (change.type === 'update') return { type: 'update', object, previous: toReplicaSet(change.previous) };
  return { type: change.type, object };
}
