/** What a driver is: a few things that every protocol can do, and traits that some have. See docs/reference/driver-protocol.md. */
import type { Clock, Logger } from '@skerry/base';
import type { SiteCertificate } from '../supervision/worker-start.ts';
import type { Encoding, RawValue } from '../values/encoding.ts';
import type { ValueType } from '../values/value-type.ts';
import type { DriverError } from './driver-error.ts';

/** One a protocol and worker. What devices share (a serial line, a server, a broker) it shares by itself. */
export interface Driver {
  readonly protocol: string;
  /**
   * Connects to one device. Rejects with a DriverError: `Misconfigured` when no attempt can succeed before the settings
   * change, any other kind when a later one may. Honours `context.signal` while it connects.
   */
  connect(settings: DeviceSettings, context: DriverContext): Promise<Session>;
  /** Trait: looks for devices where it is permitted; ends at the end, at an error, or when the signal aborts. */
  discover?(request: DiscoveryRequest, context: DriverContext): AsyncIterable<FoundDevice>;
  /** Ends what devices share. Every session is closed before. */
  close?(): Promise<void>;
}

/** A Device's connection with everything resolved that it names. */
export interface DeviceSettings {
  readonly namespace: string;
  readonly name: string;
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly retries: number;
  /** Valid by the protocol's schema, with its defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The Secret's data; empty without one. */
  readonly secret: Readonly<Record<string, Uint8Array>>;
  /** The ConfigMap's data; empty without one. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly trust?: Trust;
  /** Name of an MqttBroker at this node. */
  readonly broker?: string;
  /** Of the site's identity, for a driver that listens. */
  readonly site?: SiteCertificate;
}

/** A TrustList, in PEM. */
export interface Trust {
  readonly trusted: readonly string[];
  readonly issuers: readonly string[];
  readonly revocationLists: readonly string[];
}

export interface DriverContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when nobody wants the result any more. */
  readonly signal: AbortSignal;
  /** A certificate was refused: shown in the TrustList's status, so that a person can accept it. */
  onRejectedCertificate?(certificate: Uint8Array, reason: string): void;
}

/** Where a driver that must remember something between its starts may keep it. */
export interface DriverHome {
  readonly node: string;
  /** Its own; made by whoever first writes. */
  readonly folder: string;
}

/** One property of one device, as the protocol finds it. */
export interface Point {
  readonly property: string;
  /** Valid by the protocol's schema, with its defaults. */
  readonly address: Readonly<Record<string, unknown>>;
  readonly type: ValueType;
  readonly encoding: Encoding;
  /** Bytes on a wire without types; undefined when the value decides. */
  readonly size: number | undefined;
}

/**
 * A connected device. Nothing here is called before the call before it has settled, except that reads, writes and calls
 * may overlap each other, and `close` everything. Every method rejects with a DriverError, and soon after its signal aborts.
 */
export interface Session {
  /**
   * Points that are always read together: whatever can be worked out beforehand is worked out here. Never throws: a point
   * that cannot be is told by `fail` with every reading.
   */
  group(points: readonly Point[]): ReadGroup;
  /**
   * Trait: the device reports values by itself. Resolves once it does; first to the sink goes what there is already.
   * Values come until the signal aborts or the session ends. What the protocol could not deliver is told by `lost`.
   */
  subscribe?(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void>;
  /** Trait. Resolves when the device has acknowledged; one outcome a write, in order: undefined is success. */
  write?(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]>;
  /** Trait: methods of the device. */
  call?(request: CallRequest, signal: AbortSignal): Promise<Readonly<Record<string, RawValue>>>;
  /** Trait: events of the device, until the signal aborts. */
  listen?(events: readonly EventPoint[], sink: EventSink, signal: AbortSignal): Promise<void>;
  /** Trait: what is below an address; the top without one. */
  browse?(address: Readonly<Record<string, unknown>> | undefined, signal: AbortSignal): AsyncIterable<BrowseEntry>;
  /** Trait: values of the past, oldest first. */
  history?(request: HistoryRequest, sink: SampleSink, signal: AbortSignal): Promise<void>;
  /** Trait: values go to the wire as bytes in their encoding, and not as numbers and texts. */
  readonly wantsBytes?: boolean;
  /** Settles when the session can do nothing more: with what ended it, or undefined after `close`. Never rejects. */
  readonly ended: Promise<DriverError | undefined>;
  /** Again and again is harmless. Running calls reject with `Closed`. */
  close(): Promise<void>;
}

export interface ReadGroup {
  /**
   * Reads every point once: each is told to the sink, by `value` or by `fail`, before this resolves. Rejects when nothing
   * at all could be read. A point that the device refuses fails alone.
   */
  read(sink: SampleSink, signal: AbortSignal): Promise<void>;
}

/** Where values go, by the index of their point. A sink never throws. */
export interface SampleSink {
  /** `time`: of the source, in milliseconds since 1970, where the protocol has one. `quality`: see `Quality`; good without it. */
  value(index: number, raw: RawValue, time?: number, quality?: number): void;
  fail(index: number, error: DriverError): void;
  /** So many values of a subscription never came: an overflow, a gap in numbers. */
  lost?(count: number): void;
}

export interface PointWrite {
  readonly point: Point;
  readonly value: RawValue;
  /** Only these bits of what is there are to change. Drivers that cannot answer `Unsupported`. */
  readonly mask?: bigint;
}

export interface CallRequest {
  readonly command: string;
  readonly address: Readonly<Record<string, unknown>>;
  readonly input: readonly CallParameter[];
  /** Names and types of what is expected back, in order. */
  readonly output: readonly { readonly name: string; readonly type: ValueType }[];
}

export interface CallParameter {
  readonly name: string;
  readonly type: ValueType;
  readonly value: RawValue;
}

export interface EventPoint {
  readonly event: string;
  readonly address: Readonly<Record<string, unknown>>;
  readonly fields: readonly { readonly name: string; readonly type: ValueType }[];
}

export interface EventSink {
  event(index: number, fields: Readonly<Record<string, RawValue>>, time?: number): void;
}

export interface BrowseEntry {
  /** As a visitor would name it. */
  readonly address: Readonly<Record<string, unknown>>;
  readonly name: string;
  readonly kind: 'Folder' | 'Object' | 'Variable' | 'Method' | 'Event';
  /** Of a variable, where the protocol tells: as `parseValueType` reads it. */
  readonly type?: string;
  readonly unit?: string;
  readonly isWritable?: boolean;
  readonly description?: string;
}

export interface HistoryRequest {
  readonly points: readonly Point[];
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** Of each point. */
  readonly limit: number;
}

export interface DiscoveryRequest {
  readonly settings: DeviceSettings;
  /** Valid by the protocol's schema, with its defaults: nothing else may be scanned. */
  readonly scan: Readonly<Record<string, unknown>>;
  readonly limit: number;
}

export interface FoundDevice {
  /** The same thing found again has the same. */
  readonly fingerprint: string;
  readonly description?: string;
  /** A name for the Device, as far as it goes: it is made valid and unique by others. */
  readonly name: string;
  readonly endpoint: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** What of it could be read, for a model and visitors. */
  readonly variables?: readonly BrowseEntry[];
}
