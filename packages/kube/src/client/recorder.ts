/** Events for people: written in the background, repeated ones counted up, floods held back (core/v1 Event). */

import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from './contract.ts';

export type EventType = 'Normal' | 'Warning';

export interface Recorder {
  /** Never throws and never waits: an event that cannot be written is dropped with a log line. */
  event(object: KubeObject, type: EventType, reason: string, message: string): void;
  /** Resolves once all that was recorded so far is written or dropped. */
  flush(): Promise<void>;
}

export interface RecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** The reporting component, such as `replicaset-controller`. */
  readonly component: string;
  /** The node it runs on, for components at the edge. */
  readonly host?: string;
}

/** How many events may wait to be written. */
const MAX_PENDING_EVENTS = 1000;

/** How many different events are remembered, to count them up when they come again. */
const MAX_REMEMBERED_EVENTS = 4096;

/** One object may have this many events at once, then one more every five minutes, as in client-go. */
const BURST_PER_OBJECT = 25;
const REFILL_MS = 5 * 60_000;

const EVENTS: Gvr = { group: '', version: 'v1', resource: 'events' };

interface CoreEvent extends KubeObject {
  count: number;
  lastTimestamp: string;
}

interface Occurrence {
  readonly object: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly at: number;
}

interface Written {
  readonly namespace: string;
  readonly name: string;
  count: number;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { client, clock, log } = options;
  const written = boundedMap<Written>(MAX_REMEMBERED_EVENTS);
  const allow = spamFilter(clock);
  const serial = { next: startOf(options.component) };
  let pending = 0;
  let tail: Promise<void> = Promise.resolve();

  const write = async (occurrence: Occurrence): Promise<void> => {
    const key = identityOf(occurrence);
    const known = written.get(key);
    if (known !== undefined && (await countUp(client, known, occurrence))) return;
    const event = newEvent(options, occurrence, serial.next++);
    const created = await client.create(EVENTS, event);
    const { namespace = 'default', name = '' } = created.metadata;
    written.set(key, { namespace, name, count: 1 });
  };

  return {
    event: (object, type, reason, message) => {
      if (pending >= MAX_PENDING_EVENTS || !allow(object)) return;
      pending++;
      const occurrence = { object, type, reason, message, at: clock.now() };
      tail = tail
        .then(() => write(occurrence))
        .catch((error: unknown) => log.debug({ reason, error: messageOf(error) }, 'event not written'))
        .finally(() => {
          pending--;
        });
    },
    flush: () => tail,
  };
}

async function countUp(client: Client, known: Written, { at }: Occurrence): Promise<boolean> {
  const ref = { gvr: EVENTS, namespace: known.namespace, name: known.name };
  const patch = { count: known.count + 1, lastTimestamp: timestamp(at) };
  try {
    await client.patch<CoreEvent>(ref, patch, { type: 'merge' });
  } catch (error) {
    // Events expire: one that is gone is begun anew.
    if (isStatus(error, 'NotFound')) return false;
    throw error;
  }
  known.count++;
  return true;
}

function newEvent(options: RecorderOptions, occurrence: Occurrence, serial: number): CoreEvent {
  const { object, type, reason, message, at } = occurrence;
  const { name = '', namespace, uid, resourceVersion } = object.metadata;
  const { component, host } = options;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName(name, at, serial), namespace: namespace ?? 'default' },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type,
    reason,
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    count: 1,
    firstTimestamp: timestamp(at),
    lastTimestamp: timestamp(at),
    source: { component, ...(host === undefined ? {} : { host }) },
    reportingComponent: component,
    reportingInstance: host ?? '',
  };
}

/** The API's limit of an event's message. */
const MAX_MESSAGE_LENGTH = 1024;

// The object's name, a dot and nanoseconds in hex, as client-go makes them; the serial keeps two of one millisecond apart.
function eventName(objectName: string, at: number, serial: number): string {
  return `${objectName}.${(BigInt(Math.trunc(at)) * 1_000_000n + BigInt(serial % 1_000_000)).toString(16)}`;
}

/** Components count from numbers of their own, so that two of them seldom meet when they speak of one name at one time. */
function startOf(component: string): number {
  return Array.from(component).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_000, 0);
}

function timestamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

function identityOf({ object, type, reason, message }: Occurrence): string {
  const { namespace = '', name = '', uid = '' } = object.metadata;
  return [object.kind, namespace, name, uid, type, reason, message].join('\0');
}

function spamFilter(clock: Clock): (object: KubeObject) => boolean {
  const buckets = boundedMap<{ tokens: number; at: number }>(MAX_REMEMBERED_EVENTS);
  return (object) => {
    const { namespace = '', name = '', uid = '' } = object.metadata;
    const key = [object.kind, namespace, name, uid].join('\0');
    const now = clock.monotonic();
    const bucket = buckets.get(key) ?? { tokens: BURST_PER_OBJECT, at: now };
    bucket.tokens = Math.min(BURST_PER_OBJECT, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  };
}

interface BoundedMap<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** Forgets what was set longest ago. */
function boundedMap<T>(limit: number): BoundedMap<T> {
  const entries = new Map<string, T>();
  return {
    get: (key) => entries.get(key),
    set: (key, value) => {
      entries.delete(key);
      entries.set(key, value);
      for (const oldest of entries.keys()) {
        if (entries.size <= limit) return;
        entries.delete(oldest);
      }
    },
  };
}
