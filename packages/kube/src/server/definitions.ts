/** Follows the definitions of custom resources: what they define is in the table as soon as they are committed. */
import type { KubeObject } from '@skerry/api';
import { customResources } from '@skerry/api/crd';
import type { CustomResourceDefinition } from '@skerry/api/types';
import type { Change, StoredObject, Subscription } from '../store/contract.ts';
import { keyPrefix } from '../store/key.ts';
import { asDefinition } from './admission/custom-resource-definition.ts';
import { cleanUpDefinition } from './definition-cleanup.ts';
import type { Engine } from './engine.ts';
import { toServedObject } from './object-text.ts';
import type { ServedKind } from './resource-table.ts';

const PREFIX = keyPrefix('apiextensions.k8s.io', 'customresourcedefinitions');

export interface DefinitionsOptions {
  /** Whether this server removes the objects of a definition that goes; a replica leaves that to its cloud. */
  readonly cleansUp: boolean;
}

/** Serves every definition in the store, and those that come. Runs until disposed. */
export function followDefinitions(engine: Engine, { cleansUp }: DefinitionsOptions): Subscription {
  const { items, revision } = engine.store.list(PREFIX);
  const serve = (stored: StoredObject): void => {
    const definition = toServedObject(stored);
    // What this server accepted has a spec; what an older or a damaged file holds must not keep it from starting.
    if (asDefinition(definition).spec?.names === undefined) return;
    serveDefinition(engine, definition);
    if (!cleansUp || definition.metadata.deletionTimestamp === undefined) return;
    cleanUpDefinition(engine, stored.key, asDefinition(definition)).catch((error: unknown) => {
      engine.log.error({ error, definition: definition.metadata.name }, 'objects of a definition not removed');
    });
  };
  for (const item of items) serve(item);
  return engine.store.subscribe(PREFIX, revision, (changes) => {
    for (const change of changes) {
      if (change.type === 'put') serve(change.object);
      else withdraw(engine, change);
    }
  });
}

function serveDefinition({ table }: Engine, object: KubeObject): void {
  const definition = asDefinition(object);
  const { group, names } = definition.spec;
  table.replace(group, names.plural, isEstablished(definition) ? kindsOf(definition) : []);
}

function withdraw({ table }: Engine, { previous }: Extract<Change, { type: 'delete' }>): void {
  const { spec } = asDefinition(toServedObject(previous));
  if (spec?.names !== undefined) table.replace(spec.group, spec.names.plural, []);
}

function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some(({ type, status: state }) => type === 'Established' && state === 'True') ?? false;
}

function kindsOf(definition: CustomResourceDefinition): ServedKind[] {
  const storageVersion = definition.spec.versions.find(({ storage }) => storage)?.name ?? '';
  const isTerminating = definition.metadata.deletionTimestamp !== undefined;
  return customResources(definition).map(({ row, schema, deprecationWarning }) => ({
    row,
    schema,
    isCustom: true,
    storageVersion,
    isTerminating,
    ...(deprecationWarning === undefined ? {} : { deprecation: deprecationWarning }),
  }));
}
