/** Kinds of our own as definitions: short words for the parts of a structural schema, so that a kind reads as its fields. */
import type { Gvr } from '../names.ts';
import type { KubeObject } from '../object.ts';
import type { Relation } from '../resource.ts';
import { EDGE_WRITABLE_ANNOTATION, ORIGIN_ANNOTATION, RELATIONS_ANNOTATION } from './custom-resources.ts';

export type Schema = Readonly<Record<string, unknown>>;

export const text = (description: string, limits: Schema = {}): Schema => ({
  type: 'string',
  description,
  maxLength: 1024,
  ...limits,
});
export const integer = (description: string, limits: Schema = {}): Schema => ({
  type: 'integer',
  format: 'int64',
  description,
  ...limits,
});
export const number = (description: string, limits: Schema = {}): Schema => ({
  type: 'number',
  description,
  ...limits,
});
export const flag = (description: string, limits: Schema = {}): Schema => ({ type: 'boolean', description, ...limits });
export const time = (description: string): Schema => text(description, { format: 'date-time' });

/** As Go writes it: `500ms`, `5s`, `1m30s`. */
export const duration = (description: string, limits: Schema = {}): Schema =>
  text(description, { pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$', maxLength: 32, ...limits });

export const choice = (description: string, values: readonly string[], fallback?: string): Schema => ({
  type: 'string',
  description,
  enum: values,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const object = (description: string, properties: Schema, required: readonly string[] = []): Schema => ({
  type: 'object',
  description,
  properties,
  ...(required.length === 0 ? {} : { required }),
});

export const list = (description: string, items: Schema, maxItems: number): Schema => ({
  type: 'array',
  description,
  maxItems,
  items,
  'x-kubernetes-list-type': 'atomic',
});

/** A list whose items are known by one of their fields, so that several appliers can share it. */
export const listBy = (key: string, description: string, items: Schema, maxItems: number): Schema => ({
  ...list(description, items, maxItems),
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': [key],
});

export const mapOf = (description: string, values: Schema, maxProperties: number): Schema => ({
  type: 'object',
  description,
  maxProperties,
  additionalProperties: values,
});

/** The same, also in days: how long something is kept. */
export const period = (description: string, limits: Schema = {}): Schema =>
  text(description, { pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$', maxLength: 32, ...limits });

/** Any JSON value. */
export const anything = (description: string): Schema => ({
  description,
  'x-kubernetes-preserve-unknown-fields': true,
});

/** An object whose fields somebody else knows: a protocol, a driver. */
export const open = (description: string): Schema => ({
  type: 'object',
  description,
  'x-kubernetes-preserve-unknown-fields': true,
});

/** Of another object in the same namespace, or of one that has none. */
export const nameOf = (description: string): Schema =>
  text(description, { maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' });

/** Of a property, a command, a field: usable in an expression and in a topic. */
export const identifier = (description: string): Schema =>
  text(description, { maxLength: 63, pattern: '^[A-Za-z_][A-Za-z0-9_]*$' });

/** The key of a Secret's or ConfigMap's entry. */
export const secretKey = (description: string): Schema =>
  object(description, { name: nameOf('Name of the Secret.'), key: text('Key in its data.', { maxLength: 253 }) }, [
    'name',
    'key',
  ]);

/** Which nodes the object concerns; the placement controller resolves it to `status.nodes`. */
export const placement: Schema = object('Where it is: by name, by labels, or both.', {
  nodeName: text('Name of the node.', { maxLength: 253 }),
  nodeSelector: mapOf('Labels that the node must have.', { type: 'string', maxLength: 63 }, 64),
});

/** What the status of every placed kind begins with. */
export const placedStatus: Schema = {
  nodes: list('Nodes that the placement leads to. Written by the cloud.', { type: 'string' }, 10_000),
  observedGeneration: integer('The generation of the spec that the status speaks of.'),
  lastError: text('What is wrong, in words; empty when nothing is.', { maxLength: 4096 }),
};

export const conditions: Schema = listBy(
  'type',
  'What is true of the object, as everywhere in Kubernetes.',
  object(
    'One statement.',
    {
      type: text('What is stated.', { maxLength: 316 }),
      status: choice('Whether it is so.', ['True', 'False', 'Unknown']),
      reason: text('Why, in one word.'),
      message: text('Why, in a sentence.', { maxLength: 4096 }),
      lastTransitionTime: time('When it last became so.'),
      observedGeneration: integer('The generation of the spec that it speaks of.'),
    },
    ['type', 'status'],
  ),
  32,
);

export interface Column {
  readonly name: string;
  readonly path: string;
  readonly type?: 'string' | 'integer' | 'date' | 'number' | 'boolean';
  /** Above 0: only in wide output. */
  readonly priority?: number;
}

export interface KindFacts {
  readonly kind: string;
  readonly gvr: Gvr;
  readonly shortNames?: readonly string[];
  readonly isClusterScoped?: boolean;
  readonly description: string;
  readonly spec: Schema;
  readonly status?: Schema;
  readonly columns: readonly Column[];
  readonly relations?: readonly Relation[];
  readonly edgeWritable?: readonly string[];
  readonly isMadeAtEdge?: boolean;
}

/** The definition that the cloud installs, and that `deploy/crds/` holds for a real cluster. */
export function definition(facts: KindFacts): KubeObject {
  const { kind, gvr, shortNames = [], isClusterScoped = false, description, spec, status, columns } = facts;
  const { group, version, resource: plural } = gvr;
  const properties = { spec, ...(status === undefined ? {} : { status }) };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, ...annotationsOf(facts) },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: ['skerry'],
      },
      scope: isClusterScoped ? 'Cluster' : 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', description, required: ['spec'], properties } },
          ...(status === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: [
            ...columns.map(({ name, path, type = 'string', priority = 0 }) => ({
              name,
              type,
              jsonPath: path,
              priority,
            })),
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  };
}

function annotationsOf({ relations, edgeWritable, isMadeAtEdge }: KindFacts): object {
  const annotations = {
    ...(relations === undefined ? {} : { [RELATIONS_ANNOTATION]: JSON.stringify(relations) }),
    ...(edgeWritable === undefined ? {} : { [EDGE_WRITABLE_ANNOTATION]: edgeWritable.join(',') }),
    ...(isMadeAtEdge === true ? { [ORIGIN_ANNOTATION]: 'edge' } : {}),
  };
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}
