/** What is to be done for one Device, worked out before anything is connected. Pure. */
import { parseDuration } from '@skerry/api/durations';
import type { SeriesTable } from '@skerry/streams/contract';
import {
  type ModelLookup,
  type ResolvedModel,
  type ResolvedProperty,
  resolveModel,
} from '../../models/resolve-model.ts';
import { validateDevice } from '../../models/validate-device.ts';
import { type Protocol, withDefaults } from '../../protocols/protocol.ts';
import type { Device, DeviceSpec, ScanClass, Visitor } from '../../resources/device.ts';
import { type Codec, compileCodec } from '../../values/codec.ts';
import { formatValueType } from '../../values/value-type.ts';
import type { Point } from '../driver.ts';
import { namesOf } from './site-certificates.ts';

export interface DevicePlan {
  readonly namespace: string;
  readonly name: string;
  readonly model: ResolvedModel;
  readonly protocol: string;
  readonly points: readonly PlannedPoint[];
  /** What is asked for, by how often. */
  readonly polled: ReadonlyMap<ScanClass, readonly PlannedPoint[]>;
  /** What the device is to report by itself. */
  readonly subscribed: readonly PlannedPoint[];
  /** Addresses of commands, by name, with the protocol's defaults. */
  readonly commands: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly events: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly connection: ConnectionPlan;
  readonly reportingMs: number;
}

export interface PlannedPoint {
  readonly point: Point;
  readonly property: ResolvedProperty;
  readonly visitor: Visitor;
  readonly codec: Codec;
  readonly series: number;
}

export interface ConnectionPlan {
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly reconnect: { readonly baseMs: number; readonly capMs: number };
  readonly options: Readonly<Record<string, unknown>>;
  readonly secretName?: string;
  readonly configMapName?: string;
  readonly trustList?: string;
  readonly broker?: string;
  /** Names of the certificate that its driver listens with. */
  readonly servesAs?: readonly string[];
}

export interface PlanContext {
  readonly models: ModelLookup;
  readonly protocol: (name: string) => Protocol | undefined;
  readonly series: SeriesTable;
}

/** Or, as text, what is wrong with the device, for its status. */
export function planDevice(
  device: Device,
  { models, protocol: protocolNamed, series }: PlanContext,
): DevicePlan | string {
  const { spec, metadata } = device;
  const { namespace = '', name = '' } = metadata;
  const model = resolveModel(spec.model.name, models);
  if (typeof model === 'string') return `model ${spec.model.name} ${model}`;
  const protocol = protocolNamed(spec.protocol);
  const errors = validateDevice(device, model, protocol);
  if (errors.length > 0) return errors.map(({ message }) => message).join('; ');
  const points = (spec.visitors ?? []).flatMap((visitor) => {
    const property = model.properties.get(visitor.property);
    return property === undefined ? [] : [planPoint(visitor, property, protocol)];
  });
  const planned = points.map((each): PlannedPoint => {
    const { name: propertyName, unit, valueType } = each.property;
    const type = formatValueType(valueType);
    const facts = { namespace, object: name, property: propertyName, type, ...(unit === undefined ? {} : { unit }) };
    return { ...each, series: series.register(facts) };
  });
  const open = (address: Readonly<Record<string, unknown>>, schema: Protocol['command']) =>
    schema === undefined ? address : withDefaults(address, schema);
  return {
    namespace,
    name,
    model,
    protocol: spec.protocol,
    points: planned,
    polled: byScanClass(planned, spec.sampling?.scanClass ?? '1s'),
    subscribed: planned.filter(({ visitor }) => visitor.mode === 'Subscribe'),
    commands: new Map((spec.commands ?? []).map((each) => [each.name, open(each.address, protocol?.command)])),
    events: new Map((spec.events ?? []).map((each) => [each.name, open(each.address, protocol?.event)])),
    connection: planConnection(device, protocol),
    reportingMs: durationOr(spec.reporting?.interval, 5000),
  };
}

function planPoint(
  visitor: Visitor,
  property: ResolvedProperty,
  protocol: Protocol | undefined,
): Omit<PlannedPoint, 'series'> {
  const encoding = visitor.encoding ?? {};
  const codec = compileCodec(property.valueType, property.unit, encoding);
  const address = protocol === undefined ? visitor.address : withDefaults(visitor.address, protocol.address);
  const point = { property: property.name, address, type: property.valueType, encoding, size: codec.size };
  return { point, property, visitor, codec };
}

function byScanClass(
  points: readonly PlannedPoint[],
  fallback: ScanClass,
): ReadonlyMap<ScanClass, readonly PlannedPoint[]> {
  const polled = points.filter(({ visitor }) => (visitor.mode ?? 'Poll') === 'Poll');
  return Map.groupBy(polled, ({ visitor }) => visitor.scanClass ?? fallback);
}

/** Also of a DeviceDiscovery. */
export function planConnection(
  { spec: { connection = {} } }: { readonly spec: Pick<DeviceSpec, 'connection'> },
  protocol: Protocol | undefined,
): ConnectionPlan {
  const { endpoint = '', timeout, retries = 1, reconnect, options = {}, ...references } = connection;
  const { secretName, configMapName, trustList, broker } = references;
  const given = protocol === undefined ? options : withDefaults(options, protocol.options);
  const served = protocol?.servesAs?.(given);
  return {
    endpoint,
    timeoutMs: durationOr(timeout, 3000),
    retries,
    reconnect: { baseMs: durationOr(reconnect?.minimum, 1000), capMs: durationOr(reconnect?.maximum, 60_000) },
    options: given,
    ...(secretName === undefined ? {} : { secretName }),
    ...(configMapName === undefined ? {} : { configMapName }),
    ...(trustList === undefined ? {} : { trustList }),
    ...(broker === undefined ? {} : { broker }),
    ...(served === undefined ? {} : { servesAs: namesOf(served.address, served.hostnames) }),
  };
}

function durationOr(text: string | undefined, fallback: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? fallback;
}

/** The milliseconds of a scan class. */
export function intervalOf(scanClass: ScanClass): number {
  return parseDuration(scanClass) ?? 1000;
}
