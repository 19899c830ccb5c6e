/** What several kinds of `streams.skerry.io` have in common. */
import type { Relation } from '@skerry/api';
import {
  choice,
  conditions,
  integer,
  list,
  listBy,
  mapOf,
  nameOf,
  number,
  object,
  placedStatus,
  placement,
  type Schema,
  text,
} from '@skerry/api/definitions';

export interface Placement {
  readonly nodeName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

/** Text by name: `{{name}}` in the spec of the object stands for it. */
export type Parameters = Readonly<Record<string, string>>;

export interface Parameterised {
  readonly parameters?: Parameters;
  readonly nodeParameters?: readonly NodeParameters[];
}

/** Where an object is, and what its parameters are there. */
export interface Placed extends Parameterised {
  readonly placement?: Placement;
}

export interface NodeParameters {
  readonly node: string;
  readonly values: Parameters;
}

/** A field of rows. */
export interface FieldSchema {
  readonly name: string;
  readonly type: FieldType;
  /** Of an Array: its items. */
  readonly items?: FieldType;
}

export const FIELD_TYPES = [
  'Bigint',
  'Float',
  'String',
  'Boolean',
  'Datetime',
  'Bytea',
  'Array',
  'Struct',
  'Any',
] as const;

export type FieldType = (typeof FIELD_TYPES)[number];

/** Patterns by label, in which `*` stands for any text; all of them must match. */
export type SeriesMatcher = Readonly<Record<string, string>>;

/** How an object is at one node. */
export interface NodeStatus {
  readonly state?: string;
  readonly lastError?: string;
}

const parameterValues = (description: string) => mapOf(description, text('Its value.', { maxLength: 4096 }), 64);

export const placed: Schema = {
  placement,
  parameters: parameterValues('Text by name: `{{name}}` in this spec stands for it.'),
  nodeParameters: listBy(
    'node',
    'What parameters are at single nodes.',
    object('The parameters of a node.', { node: nameOf('Name of the node.'), values: parameterValues('They.') }, [
      'node',
      'values',
    ]),
    10_000,
  ),
};

export const fields = (description: string): Schema =>
  listBy(
    'name',
    description,
    object(
      'A field.',
      {
        name: text('Name.', { minLength: 1, maxLength: 253 }),
        type: choice('What it holds.', FIELD_TYPES),
        items: choice('What the items of an Array are.', FIELD_TYPES),
      },
      ['name', 'type'],
    ),
    1024,
  );

export const seriesMatchers = (description: string): Schema =>
  list(
    description,
    mapOf('Patterns by label, in which `*` stands for any text; all must match.', text('A pattern.'), 16),
    64,
  );

/** Where an HTTP, MQTT or database connection leads, and with what it is opened. */
export const credentials = {
  secretName: nameOf(
    'Secret with the keys of kubernetes.io/basic-auth and kubernetes.io/tls: username, password, token, tls.crt, tls.key, ca.crt.',
  ),
};

/** Kinds that several nodes run: each node tells of itself in its own entry. */
export function nodeStatuses(description: string, own: Schema): Schema {
  return object(description, {
    ...placedStatus,
    state: choice('The worst of what the nodes say.', STATES),
    onNodes: mapOf(
      'How it is at each node, by name; a node writes its own entry only.',
      object('How it is at one node.', {
        state: choice('What it does.', STATES),
        lastError: text('What is wrong, in words; empty when nothing is.', { maxLength: 4096 }),
        observedGeneration: integer('The generation of the spec that this speaks of.'),
        ...own,
      }),
      10_000,
    ),
    conditions,
  });
}

const STATES = ['Pending', 'Running', 'Waiting', 'Failed', 'Disabled'] as const;

export const perSecond = (what: string): Schema => number(`${what}, over the last minute.`);

export const SECRETS: Relation['to'] = { group: '', version: 'v1', resource: 'secrets' };
