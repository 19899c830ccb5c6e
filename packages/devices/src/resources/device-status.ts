/** What is known of a Device: how its connection is, what it has, and what became of what it was to have. */
import {
  anything,
  choice,
  conditions,
  integer,
  mapOf,
  object,
  placedStatus,
  type Schema,
  text,
  time,
} from '@skerry/api/definitions';
import { type RejectedCertificate, rejectedCertificates } from './trust-list.ts';

/** A Device has no more of them. */
export const MAX_VISITORS = 20_000;

export type DeviceState = 'Pending' | 'Connecting' | 'Connected' | 'Degraded' | 'Disconnected' | 'Invalid' | 'Disabled';

export interface DeviceStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly state?: DeviceState;
  readonly lastError?: string;
  readonly rejectedCertificates?: readonly RejectedCertificate[];
  readonly lastErrorTime?: string;
  readonly lastSeen?: string;
  readonly connectedSince?: string;
  readonly reported?: Readonly<Record<string, Reported>>;
  readonly counters?: DeviceCounters;
  /** The last write of each property. */
  readonly writes?: Readonly<Record<string, WriteStatus>>;
  readonly conditions?: readonly Condition[];
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface Reported {
  readonly value?: unknown;
  readonly time: string;
  readonly quality: 'Good' | 'Uncertain' | 'Bad';
}

export interface DeviceCounters {
  readonly in?: number;
  readonly out?: number;
  /** By reason. */
  readonly dropped?: Readonly<Record<string, number>>;
  readonly reads?: number;
  readonly readErrors?: number;
  readonly missedReads?: number;
  readonly writes?: number;
  readonly writeErrors?: number;
  readonly connects?: number;
}

export type WriteResult = 'Pending' | 'Confirmed' | 'Rejected' | 'TimedOut' | 'Superseded' | 'Expired';

export interface WriteStatus {
  readonly result: WriteResult;
  readonly value?: unknown;
  readonly reason?: string;
  readonly time?: string;
  /** Of the desired value that it is about. */
  readonly at?: string;
  /** Changes with each wish. */
  readonly version?: string;
}

const quality = choice('How far it can be trusted.', ['Good', 'Uncertain', 'Bad']);

/** Of a Device. */
export const deviceStatus: Schema = object('What is known of the device. Live values are in telemetry.skerry.io.', {
  ...placedStatus,
  state: choice('How the connection is.', [
    'Pending',
    'Connecting',
    'Connected',
    'Degraded',
    'Disconnected',
    'Invalid',
    'Disabled',
  ]),
  lastErrorTime: time('When something last went wrong.'),
  lastSeen: time('When the device last answered.'),
  connectedSince: time('Since when it answers.'),
  reported: mapOf(
    'Values by property, written at most once in the reporting interval.',
    object('One value.', { value: anything('The value.'), time: time('When it was so.'), quality }, [
      'time',
      'quality',
    ]),
    MAX_VISITORS,
  ),
  counters: object('Since the driver started.', {
    in: integer('Values that came.'),
    out: integer('Values that went on.'),
    dropped: mapOf('Values that did not, by reason.', { type: 'integer', format: 'int64' }, 64),
    reads: integer('Requests for values.'),
    readErrors: integer('Those that failed.'),
    missedReads: integer('Those that were left out because the one before took too long.'),
    writes: integer('Values written to the device.'),
    writeErrors: integer('Those that failed.'),
    connects: integer('How often it was connected.'),
  }),
  writes: mapOf(
    'The last write of each property.',
    object(
      'One write.',
      {
        result: choice('What became of it.', ['Pending', 'Confirmed', 'Rejected', 'TimedOut', 'Superseded', 'Expired']),
        value: anything('The value that was to be written.'),
        reason: text('Why it was not.', { maxLength: 4096 }),
        time: time('When this was found.'),
        at: time('When the value was wanted.'),
        version: text('Changes with each wish.', { maxLength: 64 }),
      },
      ['result'],
    ),
    MAX_VISITORS,
  ),
  rejectedCertificates,
  conditions,
});
