/** The part of an object whose fields have owners: all but what the server itself keeps. */
import { isObject, type JsonObject } from '../../json.ts';
import type { KubeObject } from '../../object.ts';
import type { Schema } from '../../schema.ts';

const UNTRACKED_METADATA: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'generation',
  'managedFields',
  'selfLink',
  'clusterName',
]);

/** A shallow copy without identity, versions and server-kept metadata; everything below is shared. */
export function trackedPart(object: KubeObject | undefined, ignore: readonly string[] = []): JsonObject {
  if (object === undefined) return {};
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  for (const field of ignore) delete rest[field];
  const kept: JsonObject = {};
  let isEmpty = true;
  if (isObject(metadata)) {
    for (const name of Object.keys(metadata)) {
      const value = (metadata as JsonObject)[name];
      if (UNTRACKED_METADATA.has(name) || value === undefined) continue;
      kept[name] = value;
      isEmpty = false;
    }
  }
  return isEmpty ? rest : { metadata: kept, ...rest };
}

/** Facts of `metadata`, the same for each kind; the schema of a custom resource seldom has them. */
const METADATA: Schema = {
  type: 'object',
  properties: {
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
    finalizers: { type: 'array', listType: 'set', items: { type: 'string' } },
    ownerReferences: {
      type: 'array',
      listType: 'map',
      listMapKeys: ['uid'],
      items: { type: 'object', mapType: 'atomic' },
    },
    name: { type: 'string' },
    generateName: { type: 'string' },
    namespace: { type: 'string' },
    deletionTimestamp: { type: 'string' },
    deletionGracePeriodSeconds: { type: 'integer' },
  },
};

const completed = new WeakMap<Schema, Schema>();

/** The schema with the facts of `metadata` in place. */
export function withMetadataFacts(schema: Schema): Schema {
  let result = completed.get(schema);
  if (result === undefined) {
    result = Object.create(schema, {
      properties: { value: withMetadata(schema.properties ?? {}), enumerable: true },
    }) as Schema;
    completed.set(schema, result);
  }
  return result;
}

/** Properties may be getters: their laziness is kept by copying descriptors, not values. */
function withMetadata(properties: Readonly<Record<string, Schema>>): Readonly<Record<string, Schema>> {
  const descriptors = Object.getOwnPropertyDescriptors(properties);
  return Object.defineProperties(
    {},
    {
      ...descriptors,
      metadata: { value: METADATA, enumerable: true, configurable: true, writable: true },
    },
  ) as Record<string, Schema>;
}
