/** What the status codes of OPC UA mean for whoever reads a Device. */
import { Quality } from '@skerry/streams/contract';
import type { StatusCode } from 'node-opcua-client';
import { DriverError, type DriverErrorKind } from '../../driver-error.ts';

/** By the upper half of the code, as names change less than numbers. */
const QUALITIES: Readonly<Record<string, number>> = {
  BadConfigurationError: Quality.configurationError,
  BadNotConnected: Quality.notConnected,
  BadDeviceFailure: Quality.deviceFailure,
  BadSensorFailure: Quality.sensorFailure,
  BadCommunicationError: Quality.communicationFailure,
  BadNoCommunication: Quality.communicationFailure,
  BadOutOfService: Quality.outOfService,
  BadWaitingForInitialData: Quality.waitingForInitialData,
  UncertainLastUsableValue: Quality.stale,
  UncertainNoCommunicationLastUsableValue: Quality.stale,
  UncertainSensorNotAccurate: Quality.sensorNotAccurate,
  UncertainEngineeringUnitsExceeded: Quality.outOfRange,
  GoodLocalOverride: Quality.localOverride,
};

const SEVERITY_SHIFT = 30;

/** Undefined for what is simply good. */
export function qualityOfStatus(status: StatusCode): number | undefined {
  // With its information bits, a good code is still good.
  const severity = status.value >>> SEVERITY_SHIFT;
  const known = QUALITIES[nameOf(status)];
  if (known !== undefined) return known;
  if (severity === 0) return undefined;
  return severity === 1 ? Quality.uncertain : Quality.bad;
}

/** Info type "data value" with the overflow bit: the queue of this item has lost values before this one. */
const OVERFLOW = 0x0480;

export function hasOverflowed({ value }: StatusCode): boolean {
  return (value & OVERFLOW) === OVERFLOW;
}

export function isBadStatus({ value }: StatusCode): boolean {
  return value >>> SEVERITY_SHIFT >= 2;
}

const KINDS: Readonly<Record<string, DriverErrorKind>> = {
  BadNodeIdUnknown: 'NotFound',
  BadNodeIdInvalid: 'NotFound',
  BadAttributeIdInvalid: 'NotFound',
  BadIndexRangeNoData: 'NotFound',
  BadIndexRangeInvalid: 'Misconfigured',
  BadMethodInvalid: 'NotFound',
  BadNoMatch: 'NotFound',
  BadUserAccessDenied: 'AccessDenied',
  BadIdentityTokenRejected: 'AccessDenied',
  BadIdentityTokenInvalid: 'AccessDenied',
  BadSecurityChecksFailed: 'AccessDenied',
  BadCertificateUntrusted: 'AccessDenied',
  BadCertificateTimeInvalid: 'AccessDenied',
  BadCertificateUseNotAllowed: 'AccessDenied',
  BadNotReadable: 'AccessDenied',
  BadSecurityModeRejected: 'Misconfigured',
  BadSecurityPolicyRejected: 'Misconfigured',
  BadTypeMismatch: 'Misconfigured',
  BadTimeout: 'TimedOut',
  BadRequestTimeout: 'TimedOut',
  BadTooManySessions: 'Busy',
  BadTooManyOperations: 'Busy',
  BadTooManySubscriptions: 'Busy',
  BadTooManyMonitoredItems: 'Busy',
  BadServerTooBusy: 'Busy',
  BadTcpServerTooBusy: 'Busy',
  BadServerHalted: 'Unreachable',
  BadShutdown: 'Unreachable',
  BadConnectionClosed: 'Unreachable',
  BadSecureChannelClosed: 'Unreachable',
  BadSessionClosed: 'Unreachable',
  BadSessionIdInvalid: 'Unreachable',
  BadServiceUnsupported: 'Unsupported',
  BadHistoryOperationUnsupported: 'Unsupported',
  BadWriteNotSupported: 'Unsupported',
  BadEncodingError: 'Malformed',
  BadDecodingError: 'Malformed',
};

/** `what` begins the sentence: "the value", "the method". */
export function errorOfStatus(what: string, status: StatusCode): DriverError {
  const name = nameOf(status);
  return new DriverError(KINDS[name] ?? 'Rejected', `${what}: ${name} (${status.description})`);
}

/** What the library threw: the service's code where the server sent one. */
export function errorOf(thrown: unknown): DriverError {
  if (thrown instanceof DriverError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const [name] = /\bBad[A-Z][A-Za-z]+/.exec(message) ?? [];
  if (name !== undefined)
    return new DriverError(KINDS[name] ?? 'Rejected', `the server refuses: ${name}`, { cause: thrown });
  const kind = /timed? ?out/i.test(message) ? 'TimedOut' : 'Unreachable';
  return new DriverError(kind, message, { cause: thrown });
}

/** `BadNodeIdUnknown`, also of codes that carry information bits. */
function nameOf(status: StatusCode): string {
  return status.name.split('#')[0] ?? status.name;
}
