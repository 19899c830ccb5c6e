/** Device: one thing in the field, how it is reached, what of it is read, and what is known of it. */
import type { KubeObject, Relation } from '@skerry/api';
import {
  anything,
  choice,
  definition,
  duration,
  flag,
  identifier,
  integer,
  listBy,
  mapOf,
  nameOf,
  number,
  object,
  open,
  placement,
  type Schema,
  text,
  time,
} from '@skerry/api/definitions';
import { type Encoding, RAW_TYPES } from '../values/encoding.ts';
import { type Deadband, deadband } from './device-model.ts';
import { type DeviceStatus, deviceStatus, MAX_VISITORS } from './device-status.ts';
import { DEVICE_MODELS, DEVICES, MQTT_BROKERS, TRUST_LISTS } from './group.ts';

export interface Device extends KubeObject {
  readonly spec: DeviceSpec;
  readonly status?: DeviceStatus;
}

export interface Placement {
  readonly nodeName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

export interface DeviceSpec {
  readonly model: { readonly name: string };
  readonly placement?: Placement;
  /** Name of the driver: `modbus`, `opcua`, `mqtt`, `frames`, `http`, `text`, `simulator`, or one of somebody else's. */
  readonly protocol: string;
  readonly connection?: Connection;
  readonly visitors?: readonly Visitor[];
  readonly commands?: readonly CommandVisitor[];
  readonly events?: readonly CommandVisitor[];
  readonly sampling?: { readonly scanClass?: ScanClass };
  readonly reporting?: { readonly interval?: string };
  readonly writes?: { readonly whileDisconnected?: 'Wait' | 'Expire'; readonly expireAfter?: string };
  /** By property. */
  readonly desired?: Readonly<Record<string, Desired>>;
  readonly disabled?: boolean;
}

/** The same for every protocol; what only one knows is in `options`. */
export interface Connection {
  readonly endpoint?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly reconnect?: { readonly minimum?: string; readonly maximum?: string };
  /** Keys as in kubernetes.io/basic-auth and kubernetes.io/tls: username, password, tls.crt, tls.key, ca.crt. */
  readonly secretName?: string;
  /** Files that the driver reads: a frame description, a CSV to replay. */
  readonly configMapName?: string;
  readonly trustList?: string;
  /** An MqttBroker of this namespace, in the place of an endpoint. */
  readonly broker?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

export const SCAN_CLASSES = [
  '10ms',
  '20ms',
  '50ms',
  '100ms',
  '200ms',
  '500ms',
  '1s',
  '2s',
  '5s',
  '10s',
  '30s',
  '60s',
] as const;
export type ScanClass = (typeof SCAN_CLASSES)[number];

export type WriteRule = 'cloud-wins' | 'edge-wins' | 'last-writer';

export interface Visitor {
  readonly property: string;
  /** In the protocol's own terms. */
  readonly address: Readonly<Record<string, unknown>>;
  /** `Subscribe` where the driver can, else it is polled. */
  readonly mode?: 'Poll' | 'Subscribe' | 'WriteOnly';
  readonly scanClass?: ScanClass;
  readonly encoding?: Encoding;
  readonly cleaning?: Cleaning;
  readonly writeRule?: WriteRule;
}

/** What happens to a value before anybody sees it, in this order of fields. */
export interface Cleaning {
  /** The device's clock differs from ours by more: our time is taken. */
  readonly maxClockSkew?: string;
  readonly outOfRange?: 'Flag' | 'Drop' | 'Clamp' | 'Keep';
  readonly filter?: Filter;
  readonly dedupe?: boolean;
  readonly changeOnly?: boolean;
  readonly deadband?: Deadband;
  readonly minInterval?: string;
  /** Without a value for so long the last one becomes Uncertain. */
  readonly staleAfter?: string;
}

export interface Filter {
  readonly type: 'Median' | 'Mean' | 'Exponential';
  /** Samples of a median or a mean. */
  readonly window?: number;
  /** Weight of a new sample in an exponential mean. */
  readonly alpha?: number;
}

export interface CommandVisitor {
  readonly name: string;
  readonly address: Readonly<Record<string, unknown>>;
}

export interface Desired {
  readonly value: unknown;
  /** When it was wanted; decides between writers where the rule is last-writer. */
  readonly at?: string;
  /** Who wanted it. */
  readonly by?: string;
  /** From then on it is no longer to be written. */
  readonly notAfter?: string;
  /** Written also over a local write that stands (edge-wins), which then stands no more. */
  readonly force?: boolean;
}

/** Also of a DeviceDiscovery. */
export const connection: Schema = object('How the device is reached.', {
  endpoint: text(
    'Where it is, as a URL: modbus+tcp://HOST:502, opc.tcp://HOST:4840/PATH, serial:///dev/ttyUSB0?baudRate=9600.',
  ),
  timeout: duration('How long one request may take.', { default: '3s' }),
  retries: integer('How often a request is tried again before it counts as failed.', {
    minimum: 0,
    maximum: 10,
    default: 1,
  }),
  reconnect: object('Pauses between attempts to connect, which grow from the first to the second.', {
    minimum: duration('The shortest pause.', { default: '1s' }),
    maximum: duration('The longest pause.', { default: '60s' }),
  }),
  secretName: nameOf('Secret with username and password, or tls.crt, tls.key and ca.crt.'),
  configMapName: nameOf('ConfigMap with files that the driver reads.'),
  trustList: nameOf('TrustList that decides about the other side’s certificate.'),
  broker: nameOf('MqttBroker of the same node, in the place of an endpoint.'),
  options: open('What only this protocol knows; its reference page lists the fields.'),
});

/** The objects that a connection names. */
export const connectionRelations: readonly Relation[] = [
  { to: { group: '', version: 'v1', resource: 'secrets' }, namePaths: ['spec.connection.secretName'] },
  { to: { group: '', version: 'v1', resource: 'configmaps' }, namePaths: ['spec.connection.configMapName'] },
  { to: TRUST_LISTS, namePaths: ['spec.connection.trustList'] },
  { to: MQTT_BROKERS, namePaths: ['spec.connection.broker'] },
];

const scanClass = choice('How often it is read.', SCAN_CLASSES);

const encoding = object('How the protocol holds the value, where it knows no types.', {
  type: choice('Its type on the wire; that of the property without it.', RAW_TYPES),
  byteOrder: choice('Order of the two bytes in a word.', ['big', 'little'], 'big'),
  wordOrder: choice('Order of the words in a larger number.', ['big', 'little'], 'big'),
  length: integer('Bytes of a text or of bytes.', { minimum: 1, maximum: 65_536 }),
  bitMask: text('Only these bits, shifted down: 0x00f0.', { pattern: '^0x[0-9a-fA-F]{1,16}$', maxLength: 18 }),
  scale: number('The raw number is multiplied by this,'),
  offset: number('and this is added.'),
  expression: text('Of x, the number so far: (x - 4) * 100 / 16.'),
  writeExpression: text(
    'Of x, the property’s value: the raw number to write. Needed to write where there is an expression.',
  ),
  unit: text('UCUM code of the raw number, which is converted to the unit of the property.', { maxLength: 64 }),
});

const filter = object(
  'Smooths numbers.',
  {
    type: choice('How.', ['Median', 'Mean', 'Exponential']),
    window: integer('Samples of a median or a mean.', { minimum: 2, maximum: 1000 }),
    alpha: number('Weight of a new sample in an exponential mean.', { minimum: 0, maximum: 1 }),
  },
  ['type'],
);

const cleaning = object('What happens to each value before anybody sees it.', {
  maxClockSkew: duration('Where the device’s clock differs from the node’s by more, the node’s time is taken.'),
  outOfRange: choice('Outside of minimum and maximum of the property.', ['Flag', 'Drop', 'Clamp', 'Keep'], 'Flag'),
  filter,
  dedupe: flag('Drops a sample with the time and the value of the one before it.', { default: true }),
  changeOnly: flag('Drops a value that is the same as the one before it.'),
  deadband,
  minInterval: duration(
    'Holds back a sample that comes sooner after the one before it; the last held back goes on when the interval is over.',
  ),
  staleAfter: duration('Without a sample for so long, the last one becomes Uncertain.'),
});

const address = open('Where it is, in the protocol’s own terms; its reference page lists the fields.');

const visitor = object(
  'Where one property is found.',
  {
    property: identifier('Name of a property of the model.'),
    address,
    mode: choice('Whether it is asked for, or reported by the device.', ['Poll', 'Subscribe', 'WriteOnly'], 'Poll'),
    scanClass,
    encoding,
    cleaning,
    writeRule: choice(
      'Who wins when cloud and edge want different values.',
      ['cloud-wins', 'edge-wins', 'last-writer'],
      'cloud-wins',
    ),
  },
  ['property', 'address'],
);

const commandVisitor = object('Where it is found.', { name: identifier('Its name in the model.'), address }, [
  'name',
  'address',
]);

const desired = object(
  'A value that the device is to have.',
  {
    value: anything('The value, as JSON; 64-bit integers may be text, bytes are base64.'),
    at: time('When it was wanted.'),
    by: text('Who wanted it.', { maxLength: 253 }),
    notAfter: time('From then on it is not written any more.'),
    force: flag('Written also over a local write that stands by edge-wins, which stands no more from then on.'),
  },
  ['value'],
);

export const deviceDefinition: KubeObject = definition({
  kind: 'Device',
  gvr: DEVICES,
  shortNames: ['dev'],
  description: 'One thing in the field: how it is reached, what of it is read, and what is known of it.',
  spec: object(
    'The device.',
    {
      model: object('The model that says what it has.', { name: nameOf('Name of a DeviceModel.') }, ['name']),
      placement,
      protocol: text(
        'Name of the driver: modbus, opcua, mqtt, frames, http, text, simulator, or another that the node has.',
        {
          pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$',
          maxLength: 63,
        },
      ),
      connection,
      visitors: listBy('property', 'Where its properties are found.', visitor, MAX_VISITORS),
      commands: listBy('name', 'Where its commands are found.', commandVisitor, 1024),
      events: listBy('name', 'Where its events are found.', commandVisitor, 1024),
      sampling: object('How often properties are read that say nothing themselves.', {
        scanClass: { ...scanClass, default: '1s' },
      }),
      reporting: object('How values get into the status.', {
        interval: duration('At most one write of the status in this time, and only on change.', { default: '5s' }),
      }),
      writes: object('What becomes of values to write while the device cannot be reached.', {
        whileDisconnected: choice('They wait, or they are given up at once.', ['Wait', 'Expire'], 'Wait'),
        expireAfter: duration('How long they wait; without limit when absent.'),
      }),
      desired: mapOf('Values that the device is to have, by property.', desired, MAX_VISITORS),
      disabled: flag('Nothing is read or written.'),
    },
    ['model', 'protocol'],
  ),
  status: deviceStatus,
  columns: [
    { name: 'Model', path: '.spec.model.name' },
    { name: 'Protocol', path: '.spec.protocol' },
    { name: 'Node', path: '.status.nodes[0]' },
    { name: 'State', path: '.status.state' },
    { name: 'In sync', path: '.status.conditions[?(@.type=="InSync")].status' },
    { name: 'Last seen', path: '.status.lastSeen', type: 'date' },
    { name: 'Error', path: '.status.lastError', priority: 1 },
  ],
  relations: [{ to: DEVICE_MODELS, namePaths: ['spec.model.name'] }, ...connectionRelations],
  edgeWritable: ['spec.desired.*'],
});
