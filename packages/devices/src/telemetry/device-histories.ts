/** DeviceHistory, the kind of `telemetry.skerry.io` that reads what a device itself has kept: created, answered, stored nowhere. */
import { type KubeObject, type ResourceRow, type Schema, StatusError } from '@skerry/api';
import { type AskOptions, askDevice } from './ask-device.ts';
import { DEVICE_VALUES_ROW } from './device-values.ts';
import {
  type DeviceHistoryRequest,
  HISTORY_PATH,
  type HistoryAnswer,
  type HistoryValue,
  MAX_HISTORY_VALUES,
} from './history-request.ts';

export const DEVICE_HISTORIES = {
  group: 'telemetry.skerry.io',
  version: 'v1alpha1',
  resource: 'devicehistories',
} as const;

export interface DeviceHistory extends KubeObject {
  readonly spec: DeviceHistorySpec;
  readonly status?: { readonly node: string; readonly values: readonly HistoryValue[] };
}

export interface DeviceHistorySpec {
  readonly device: string;
  readonly property: string;
  /** RFC 3339; an hour before `to` without it. */
  readonly from?: string;
  /** Now without it. */
  readonly to?: string;
  readonly limit?: number;
}

export interface HistoryOptions extends AskOptions {
  readonly now: () => number;
}

interface Create {
  readonly object: KubeObject;
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. */
export function deviceHistoriesKind(options: HistoryOptions) {
  return {
    row: ROW,
    schema: SCHEMA,
    read: async (): Promise<readonly KubeObject[]> => [],
    create: (asked: Create): Promise<KubeObject> => read(options, asked),
  };
}

const HOUR_MS = 3_600_000;
const DEFAULT_VALUES = 1000;
/** Of values that may be texts and structures. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

async function read(options: HistoryOptions, { object, signal }: Create): Promise<DeviceHistory> {
  const { spec, metadata } = object as DeviceHistory;
  const { namespace = '' } = metadata;
  const body = requestOf(namespace, spec, options.now());
  const { device, property } = body;
  const { node, answer } = await askDevice<HistoryAnswer>(options, {
    namespace,
    device,
    path: HISTORY_PATH,
    body,
    signal,
    what: `the history of ${property} of device "${device}"`,
    unanswered: 'the node did not answer',
    maxAnswerBytes: MAX_ANSWER_BYTES,
  });
  return { ...(object as DeviceHistory), status: { node, values: answer.values ?? [] } };
}

function requestOf(
  namespace: string,
  { device, property, from, to, limit = DEFAULT_VALUES }: Partial<DeviceHistorySpec> = {},
  now: number,
): DeviceHistoryRequest {
  if (!device || !property) throw refused('spec.device and spec.property are needed');
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_HISTORY_VALUES)
    throw refused(`spec.limit must be between 1 and ${MAX_HISTORY_VALUES}`);
  const end = to === undefined ? now : timeOf('spec.to', to);
  const start = from === undefined ? end - HOUR_MS : timeOf('spec.from', from);
  if (start > end) throw refused('spec.from is after spec.to');
  return { namespace, device, property, from: start, to: end, limit };
}

function timeOf(field: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw refused(`${field} is no time such as 2026-01-31T06:00:00Z`);
  return time;
}

function refused(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

const SCHEMA: Schema = {
  type: 'object',
  description: 'Reads what a device itself has kept of a property. Whoever creates one is answered with the values.',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', preserveUnknownFields: true },
    spec: {
      type: 'object',
      description: 'What is asked.',
      properties: {
        device: { type: 'string', description: 'Name of a Device of this namespace.' },
        property: { type: 'string', description: 'One of its properties.' },
        from: { type: 'string', description: 'RFC 3339; an hour before the end without it.' },
        to: { type: 'string', description: 'RFC 3339; now without it.' },
        limit: { type: 'integer', description: 'So many values at most, the oldest ones; 1000 without it.' },
      },
    },
    status: {
      type: 'object',
      description: 'What the device has answered.',
      properties: {
        node: { type: 'string', description: 'The node that drives the device.' },
        values: {
          type: 'array',
          items: { type: 'object', preserveUnknownFields: true },
          description: 'Time, value and quality of each, oldest first.',
        },
      },
    },
  },
};

const ROW: ResourceRow = {
  ...DEVICE_VALUES_ROW,
  gvr: DEVICE_HISTORIES,
  gvk: { ...DEVICE_VALUES_ROW.gvk, kind: 'DeviceHistory' },
  listKind: 'DeviceHistoryList',
  singular: 'devicehistory',
  shortNames: [],
  verbs: ['create'],
  printerColumns: [],
};
