/** DeviceValues, the kind of `telemetry.skerry.io` that shows what devices say now. Made when somebody asks, stored nowhere. */
import type { KubeObject, ResourceRow, Schema } from '@skerry/api';

const TELEMETRY_GROUP = 'telemetry.skerry.io';
const TELEMETRY_VERSION = 'v1alpha1';
export const DEVICE_VALUES = { group: TELEMETRY_GROUP, version: TELEMETRY_VERSION, resource: 'devicevalues' } as const;

/** Name, namespace and labels are those of the Device. */
export interface DeviceValues extends KubeObject {
  readonly node: string;
  readonly state: string;
  /** In a watch, those that changed since the event before. */
  readonly values: readonly LiveValue[];
}

export interface LiveValue {
  readonly property: string;
  readonly type: string;
  readonly unit?: string;
  readonly value?: unknown;
  readonly time: string;
  readonly quality: 'Good' | 'Uncertain' | 'Bad';
}

const VALUE: Schema = {
  type: 'object',
  properties: {
    property: { type: 'string', description: 'Name of the property.' },
    type: { type: 'string', description: 'Its type.' },
    unit: { type: 'string', description: 'Its unit, by UCUM code.' },
    value: { preserveUnknownFields: true, description: 'The value; absent where there is none.' },
    time: { type: 'string', format: 'date-time', description: 'When it was so.' },
    quality: { type: 'string', description: 'How far it can be trusted.' },
  },
};

export const DEVICE_VALUES_SCHEMA: Schema = {
  type: 'object',
  description: 'What a device says now. In a watch, each event has the values that changed.',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', preserveUnknownFields: true },
    node: { type: 'string', description: 'The node that drives the device.' },
    state: { type: 'string', description: 'How its connection is.' },
    values: { type: 'array', items: VALUE, description: 'Its properties.' },
  },
};

export const DEVICE_VALUES_ROW: ResourceRow = {
  gvr: DEVICE_VALUES,
  gvk: { group: TELEMETRY_GROUP, version: TELEMETRY_VERSION, kind: 'DeviceValues' },
  listKind: 'DeviceValuesList',
  singular: 'devicevalues',
  namespaced: true,
  shortNames: ['dval'],
  categories: [],
  verbs: ['get', 'list', 'watch'],
  subresources: [],
  selectableFields: [],
  tracksGeneration: false,
  origin: 'cloud',
  edgeWritable: [],
  relations: [],
  printerColumns: [
    { name: 'Node', type: 'string', jsonPath: '.node' },
    { name: 'State', type: 'string', jsonPath: '.state' },
    { name: 'Values', type: 'string', jsonPath: '.values[*].value' },
  ],
};
