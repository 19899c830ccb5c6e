/** What a worker and a driver in another thread, process or language say to each other. Documented in docs/reference/driver-protocol.md. */
import type { RawValue } from '../../values/encoding.ts';
import type {
  CallRequest,
  DeviceSettings,
  DiscoveryRequest,
  EventPoint,
  HistoryRequest,
  Point,
  PointWrite,
} from '../driver.ts';
import type { DriverErrorKind } from '../driver-error.ts';

export const DRIVER_PROTOCOL_VERSION = 1;

/** A session and a group have numbers that the worker gives. */
export type Ask =
  | { readonly do: 'connect'; readonly session: number; readonly settings: DeviceSettings }
  | { readonly do: 'group'; readonly session: number; readonly group: number; readonly points: readonly Point[] }
  | { readonly do: 'read'; readonly session: number; readonly group: number }
  | { readonly do: 'subscribe'; readonly session: number; readonly points: readonly Point[] }
  | { readonly do: 'write'; readonly session: number; readonly writes: readonly PointWrite[] }
  | { readonly do: 'call'; readonly session: number; readonly request: CallRequest }
  | { readonly do: 'listen'; readonly session: number; readonly events: readonly EventPoint[] }
  | {
      readonly do: 'browse';
      readonly session: number;
      readonly from?: Readonly<Record<string, unknown>>;
    }
  | { readonly do: 'history'; readonly session: number; readonly request: HistoryRequest }
  | { readonly do: 'close'; readonly session: number }
  | { readonly do: 'discover'; readonly request: DiscoveryRequest };

/** From the worker. `cancel`: nobody wants the answer to this request any more. */
export type ToDriver = ({ readonly id: number } & Ask) | { readonly cancel: number };

/** What a session can do beyond reading. */
export type SessionTrait = 'subscribe' | 'write' | 'call' | 'listen' | 'browse' | 'history' | 'wantsBytes';

export interface WireError {
  readonly kind: DriverErrorKind;
  readonly message: string;
}

/** Columns: the same row of each belongs together; `times` and `qualities` are absent when no sample has one. */
export interface Samples {
  readonly index: readonly number[];
  readonly raw: readonly RawValue[];
  readonly times?: readonly (number | null)[];
  readonly qualities?: readonly (number | null)[];
}

/** From the driver: parts of an answer, then its end; and the end of sessions. */
export type FromDriver =
  | { readonly id: number; readonly samples: Samples }
  | { readonly id: number; readonly failures: readonly (readonly [index: number, error: WireError])[] }
  | { readonly id: number; readonly lost: number }
  | {
      readonly id: number;
      readonly events: readonly (readonly [index: number, fields: Readonly<Record<string, RawValue>>, time?: number])[];
    }
  /** What was browsed or discovered. */
  | { readonly id: number; readonly items: readonly unknown[] }
  /** The end of an answer; of a subscription only its beginning. */
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: WireError }
  | { readonly ended: number; readonly error?: WireError }
  | { readonly rejected: { readonly certificate: Uint8Array; readonly reason: string }; readonly session: number };

/** Both ends of a connection between a worker and a driver. */
export interface Port<Out, In> {
  post(message: Out): void;
  /** One listener. */
  onMessage(listener: (message: In) => void): void;
  /** Settles once nothing more can come, with the reason. Never rejects. */
  readonly closed: Promise<string>;
  close(): void;
}
