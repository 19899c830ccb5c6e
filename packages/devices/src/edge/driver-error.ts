/** What can go wrong between a driver and a device, by kinds that everybody can act on. */
import { Quality } from '@skerry/streams/contract';

/**
 * - `Unreachable`: no connection, or it was lost.
 * - `TimedOut`: no answer in time.
 * - `AccessDenied`: who we are, or what we may, was refused.
 * - `NotFound`: the device has no such address.
 * - `Rejected`: the device understood and refused; the message says its reason in words.
 * - `Malformed`: what came is not the protocol.
 * - `Unsupported`: this driver or this device cannot do that at all.
 * - `Busy`: a bound was met, here or there; later it may work.
 * - `Misconfigured`: cannot work before the object changes.
 * - `Closed`: the session was closed by us.
 */
export const DRIVER_ERROR_KINDS = [
  'Unreachable',
  'TimedOut',
  'AccessDenied',
  'NotFound',
  'Rejected',
  'Malformed',
  'Unsupported',
  'Busy',
  'Misconfigured',
  'Closed',
] as const;

export type DriverErrorKind = (typeof DRIVER_ERROR_KINDS)[number];

/** The message stands in the Device's status: words for the person who runs the plant, with the facts, without secrets. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly kind: DriverErrorKind;

  constructor(kind: DriverErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export function isDriverError(error: unknown, ...kinds: readonly DriverErrorKind[]): error is DriverError {
  return error instanceof DriverError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** Whatever was thrown, as a DriverError: what a library throws about a socket is `Unreachable`. */
export function driverErrorOf(error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DriverError('Unreachable', message, { cause: error });
}

const QUALITIES: Readonly<Record<DriverErrorKind, number>> = {
  Unreachable: Quality.notConnected,
  TimedOut: Quality.communicationFailure,
  AccessDenied: Quality.bad,
  NotFound: Quality.configurationError,
  Rejected: Quality.deviceFailure,
  Malformed: Quality.communicationFailure,
  Unsupported: Quality.configurationError,
  Busy: Quality.lastKnown,
  Misconfigured: Quality.configurationError,
  Closed: Quality.outOfService,
};

/** Of a sample that could not be read because of it. */
export function qualityOf(error: DriverError): number {
  return QUALITIES[error.kind];
}
