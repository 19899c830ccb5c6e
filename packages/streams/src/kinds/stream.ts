/** Stream: where rows come from, what fields they have, and by which of these their time goes. */
import type { KubeObject } from '@skerry/api';
import {
  anything,
  choice,
  definition,
  duration,
  flag,
  identifier,
  integer,
  list,
  listBy,
  mapOf,
  nameOf,
  number,
  object,
  open,
  text,
} from '@skerry/api/definitions';
import { RULES, STREAMS } from './group.ts';
import {
  credentials,
  type FieldSchema,
  fields,
  type NodeStatus,
  nodeStatuses,
  type Placed,
  perSecond,
  placed,
  SECRETS,
} from './shared.ts';

export interface Stream extends KubeObject {
  readonly spec: StreamSpec;
  readonly status?: StreamStatus;
}

export interface StreamSpec extends Placed {
  readonly source: StreamSource;
  readonly format?: Format;
  /** Of CSV. */
  readonly delimiter?: string;
  /** Without it, rows have the fields that come, and expressions are checked when they run. */
  readonly schema?: readonly FieldSchema[];
  readonly timestamp?: { readonly field: string; readonly format?: TimeFormat };
  readonly watermark?: Watermark;
}

export type Format = 'Json' | 'Csv' | 'Text';
export type TimeFormat = 'Auto' | 'Milliseconds' | 'Seconds' | 'Rfc3339';

/** How long is waited for rows that are late. */
export interface Watermark {
  readonly outOfOrder?: string;
  /** A source that is silent for so long holds back no window of a rule that reads others too. */
  readonly idleAfter?: string;
}

/** One of them. */
export interface StreamSource {
  readonly devices?: DevicesSource;
  readonly mqtt?: MqttSource;
  readonly http?: HttpSource;
  readonly httpPush?: HttpPushSource;
  readonly file?: FileSource;
  readonly simulator?: SimulatorSource;
  readonly rule?: RuleSource;
}

export interface DevicesSource {
  readonly names?: readonly string[];
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly model?: string;
  /** All without it. */
  readonly properties?: readonly string[];
  /** `Device`: a row has all properties of a device, as they are known then. `Value`: a row has one value. */
  readonly rows?: 'Device' | 'Value';
}

export interface MqttSource {
  readonly server: string;
  readonly topic: string;
  readonly qos?: number;
  readonly version?: '3.1.1' | '5';
  readonly clientId?: string;
  readonly secretName?: string;
}

export interface HttpSource {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly interval?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeout?: string;
  readonly secretName?: string;
}

export interface HttpPushSource {
  readonly path: string;
  readonly address?: string;
  readonly port: number;
  readonly secretName?: string;
  readonly anonymous?: boolean;
}

export interface FileSource {
  readonly path: string;
  /** Rows are played so far apart; all at once without it. */
  readonly interval?: string;
  /** Waits for what is added to the file. */
  readonly follow?: boolean;
}

export interface SimulatorSource {
  readonly interval?: string;
  /** So many rows each time. */
  readonly rowsPerInterval?: number;
  /** Played in turn, with these fields; `signals` are added. */
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  readonly signals?: readonly SimulatorSignal[];
  readonly loop?: boolean;
}

export interface SimulatorSignal {
  readonly field: string;
  readonly signal: 'Sine' | 'Square' | 'Sawtooth' | 'Walk' | 'Counter' | 'Choice';
  readonly period?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly step?: number;
  readonly seed?: number;
  readonly choices?: readonly unknown[];
}

export interface RuleSource {
  readonly name: string;
  readonly output?: 'Results' | 'Late';
}

export interface StreamStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, StreamNodeStatus>>;
}

export interface StreamNodeStatus extends NodeStatus {
  readonly rows?: number;
  readonly rowsPerSecond?: number;
  readonly dropped?: Readonly<Record<string, number>>;
  readonly rules?: readonly string[];
}

const devices = object('Values of devices that are driven at the node.', {
  names: list('Names of devices; all of the namespace without any of these.', nameOf('A name.'), 10_000),
  matchLabels: mapOf('Labels that devices must have.', { type: 'string', maxLength: 63 }, 64),
  model: nameOf('Model that devices must have.'),
  properties: list('Properties; all without it.', identifier('A property.'), 1024),
  rows: choice(
    'Device: a row a device and time, with all its properties as they are known then. Value: a row a value.',
    ['Device', 'Value'],
    'Device',
  ),
});

const mqtt = object(
  'Messages of a broker.',
  {
    server: text('mqtt://HOST:PORT or mqtts://HOST:PORT.', { pattern: '^mqtts?://[^/]+$' }),
    topic: text('Topic or filter.', { minLength: 1 }),
    qos: integer('Quality; from 1 on, a message is acknowledged once what it led to is safe.', {
      minimum: 0,
      maximum: 2,
      default: 1,
    }),
    version: choice('Of the protocol.', ['3.1.1', '5'], '3.1.1'),
    clientId: text('Name of the client; made of the stream’s without it.', { maxLength: 128 }),
    ...credentials,
  },
  ['server', 'topic'],
);

const http = object(
  'An answer that is asked for again and again.',
  {
    url: text('What is asked for.', { pattern: '^https?://', maxLength: 2048 }),
    method: choice('How.', ['GET', 'POST'], 'GET'),
    interval: duration('How often.', { default: '10s' }),
    headers: mapOf('Are sent with every request.', text('A header.', { maxLength: 4096 }), 32),
    body: text('Is sent along.', { maxLength: 65_536 }),
    timeout: duration('An answer is waited for so long.', { default: '5s' }),
    ...credentials,
  },
  ['url'],
);

const httpPush = object(
  'Rows that others POST.',
  {
    path: text('Where to.', { pattern: '^/', maxLength: 1024 }),
    address: text('IP address to listen on; only this machine by default.', { default: '127.0.0.1', maxLength: 64 }),
    port: integer('TCP port.', { minimum: 0, maximum: 65_535 }),
    anonymous: flag('Anybody who reaches the address may post; else the Secret has the `token`.', { default: false }),
    ...credentials,
  },
  ['path', 'port'],
);

const file = object(
  'A file of the node, in the folder of streams’ files.',
  {
    path: text('Relative to that folder.', { minLength: 1, pattern: '^[^/].*$' }),
    interval: duration('Rows are played so far apart; without it as fast as they are taken.'),
    follow: flag('Waits for what is added to the file.', { default: false }),
  },
  ['path'],
);

const signal = object(
  'A field that changes by itself.',
  {
    field: text('Name of the field.', { minLength: 1, maxLength: 253 }),
    signal: choice('How.', ['Sine', 'Square', 'Sawtooth', 'Walk', 'Counter', 'Choice']),
    period: duration('Of a wave.', { default: '10s' }),
    minimum: number('Least value.', { default: 0 }),
    maximum: number('Greatest value.', { default: 100 }),
    step: number('The longest step of a walk, and the step of a counter.', { default: 1 }),
    seed: number('Two with the same seed are the same.', { default: 1 }),
    choices: list('Of Choice: one of these each time.', anything('A value.'), 1024),
  },
  ['field', 'signal'],
);

const simulator = object('Rows that are made up.', {
  interval: duration('How often.', { default: '1s' }),
  rowsPerInterval: integer('So many each time.', { minimum: 1, maximum: 10_000, default: 1 }),
  rows: list('Played in turn.', open('A row.'), 10_000),
  signals: listBy('field', 'Fields that are added to each row.', signal, 256),
  loop: flag('`rows` begin again at their end.', { default: true }),
});

const rule = object(
  'What a rule of the same node results in.',
  {
    name: nameOf('Name of the Rule.'),
    output: choice('Its results, or the rows that came too late for it.', ['Results', 'Late'], 'Results'),
  },
  ['name'],
);

export const streamDefinition: KubeObject = definition({
  kind: 'Stream',
  gvr: STREAMS,
  description: 'Rows that rules read: of devices, messages, requests, files, other rules.',
  spec: object(
    'The stream.',
    {
      ...placed,
      source: object('Where rows come from: one of these.', { devices, mqtt, http, httpPush, file, simulator, rule }),
      format: choice('What messages, answers and files hold.', ['Json', 'Csv', 'Text'], 'Json'),
      delimiter: text('Between the fields of CSV.', { minLength: 1, maxLength: 1, default: ',' }),
      schema: fields('Fields of rows. Without them, a row has what comes.'),
      timestamp: object(
        'The field that says when a row was; when it came counts without it.',
        {
          field: text('Name of the field.', { minLength: 1, maxLength: 253 }),
          format: choice(
            'How it says it. Auto: numbers are milliseconds since 1970, text is RFC 3339.',
            ['Auto', 'Milliseconds', 'Seconds', 'Rfc3339'],
            'Auto',
          ),
        },
        ['field'],
      ),
      watermark: object('How long is waited for rows that are late.', {
        outOfOrder: duration('A row may be so much older than the newest one.', { default: '0s' }),
        idleAfter: duration('A silent source holds nothing back after so long.', { default: '10s' }),
      }),
    },
    ['source'],
  ),
  status: nodeStatuses('How it flows.', {
    rows: integer('Rows since the worker started.'),
    rowsPerSecond: perSecond('Rows'),
    dropped: mapOf('Rows that were lost, by reason.', integer('How many.'), 16),
    rules: list('Rules that read it at the node.', nameOf('A rule.'), 1024),
  }),
  columns: [{ name: 'State', path: '.status.state' }],
  relations: [
    {
      to: SECRETS,
      namePaths: ['spec.source.mqtt.secretName', 'spec.source.http.secretName', 'spec.source.httpPush.secretName'],
    },
    { to: RULES, namePaths: ['spec.source.rule.name'] },
  ],
});
