/** DeviceModel: what devices of one make have in common. A device is described once, and seen the same way by everybody. */
import type { KubeObject } from '@skerry/api';
import {
  anything,
  choice,
  definition,
  duration,
  identifier,
  integer,
  list,
  listBy,
  nameOf,
  number,
  object,
  type Schema,
  text,
} from '@skerry/api/definitions';
import type { StructDeclaration } from '../values/value-type.ts';
import { DEVICE_MODELS } from './group.ts';

export interface DeviceModel extends KubeObject {
  readonly spec: DeviceModelSpec;
}

export interface DeviceModelSpec {
  readonly description?: string;
  /** `MAJOR.MINOR.PATCH`. */
  readonly version?: string;
  readonly manufacturer?: string;
  /** The model whose properties, commands, events and structures this one has too. */
  readonly extends?: string;
  readonly structs?: readonly StructDeclaration[];
  readonly properties?: readonly ModelProperty[];
  readonly commands?: readonly ModelCommand[];
  readonly events?: readonly ModelEvent[];
}

export type Access = 'ReadOnly' | 'ReadWrite' | 'WriteOnly';

export interface ModelProperty {
  readonly name: string;
  /** See `parseValueType`. */
  readonly type: string;
  readonly description?: string;
  /** UCUM code. */
  readonly unit?: string;
  readonly access?: Access;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly EnumMember[];
  readonly default?: unknown;
  readonly deadband?: Deadband;
}

export interface EnumMember {
  readonly value: number;
  readonly name: string;
}

/** A change is news when it is larger than both. */
export interface Deadband {
  readonly absolute?: number;
  /** Of the property's range (maximum - minimum), else of the value. */
  readonly percent?: number;
}

export interface ModelParameter {
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

export interface ModelCommand {
  readonly name: string;
  readonly description?: string;
  readonly input?: readonly ModelParameter[];
  readonly output?: readonly ModelParameter[];
  readonly timeout?: string;
}

export interface ModelEvent {
  readonly name: string;
  readonly description?: string;
  readonly severity?: 'Info' | 'Warning' | 'Critical';
  readonly fields?: readonly ModelParameter[];
}

const MAX_PROPERTIES = 20_000;
const MAX_MEMBERS = 1024;

const typeText = text(
  'bool, int8 … uint64, float32, float64, string, bytes, datetime, a structure; NAME[] and NAME[LENGTH].',
  {
    maxLength: 80,
    pattern: '^[A-Za-z_][A-Za-z0-9_]*(\\[[0-9]{0,5}\\])?$',
  },
);
const unit = text('Unit by its UCUM code: Cel, kW.h, m3/h.', { maxLength: 64 });
const description = text('What it is, for people.', { maxLength: 4096 });

const parameter = object(
  'One value.',
  {
    name: identifier('Name.'),
    type: typeText,
    description,
    unit,
    minimum: number('Least value.'),
    maximum: number('Greatest value.'),
    default: anything('Taken when none is given.'),
  },
  ['name', 'type'],
);
const parameters = (what: string) => listBy('name', what, parameter, 256);

export const deadband: Schema = object('Changes that are smaller are no news.', {
  absolute: number('In the unit of the property.', { minimum: 0 }),
  percent: number('Of the range, else of the value.', { minimum: 0, maximum: 100 }),
});

const property = object(
  'One value that devices of this model have.',
  {
    name: identifier('Name.'),
    type: typeText,
    description,
    unit,
    access: choice('Whether it is read, written or both.', ['ReadOnly', 'ReadWrite', 'WriteOnly'], 'ReadOnly'),
    minimum: number('Least value that makes sense.'),
    maximum: number('Greatest value that makes sense.'),
    enum: list(
      'Names of an integer’s values.',
      object('One value.', { value: integer('The number.'), name: text('Its name.', { maxLength: 253 }) }, [
        'value',
        'name',
      ]),
      MAX_MEMBERS,
    ),
    default: anything('What a device starts with, until it says otherwise.'),
    deadband,
  },
  ['name', 'type'],
);

const command = object(
  'Something that devices of this model can be told to do.',
  {
    name: identifier('Name.'),
    description,
    input: parameters('What it is told.'),
    output: parameters('What it answers.'),
    timeout: duration('How long an answer may take.', { default: '10s' }),
  },
  ['name'],
);

const event = object(
  'Something that devices of this model report when it happens.',
  {
    name: identifier('Name.'),
    description,
    severity: choice('How much it matters.', ['Info', 'Warning', 'Critical'], 'Info'),
    fields: parameters('What is said with it.'),
  },
  ['name'],
);

const struct = object(
  'A structure, used as a type by its name.',
  {
    name: identifier('Name.'),
    fields: listBy(
      'name',
      'Its parts, in order.',
      object('One part.', { name: identifier('Name.'), type: typeText, unit, description }, ['name', 'type']),
      256,
    ),
  },
  ['name', 'fields'],
);

export const deviceModelDefinition: KubeObject = definition({
  kind: 'DeviceModel',
  gvr: DEVICE_MODELS,
  shortNames: ['dm'],
  isClusterScoped: true,
  description: 'What devices of one make have in common: properties, commands and events.',
  spec: object('The model.', {
    description,
    version: text('MAJOR.MINOR.PATCH.', { pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+$', maxLength: 32 }),
    manufacturer: text('Who makes such devices.', { maxLength: 253 }),
    extends: nameOf('The model whose parts this one has too.'),
    structs: listBy('name', 'Structures that properties and parameters are made of.', struct, MAX_MEMBERS),
    properties: listBy('name', 'Values that are read and written.', property, MAX_PROPERTIES),
    commands: listBy('name', 'What devices can be told to do.', command, MAX_MEMBERS),
    events: listBy('name', 'What devices report.', event, MAX_MEMBERS),
  }),
  columns: [
    { name: 'Version', path: '.spec.version' },
    { name: 'Extends', path: '.spec.extends' },
    { name: 'Description', path: '.spec.description', priority: 1 },
  ],
  relations: [{ to: DEVICE_MODELS, namePaths: ['spec.extends'] }],
});
