/** What became of a write or a call, as OPC UA says it. */
import { type StatusCode, StatusCodes } from 'node-opcua-client';
import type { DriverError, DriverErrorKind } from '../driver-error.ts';
import type { WriteOutcome } from '../twin/door.ts';

export function statusOfWrite(outcome: WriteOutcome | undefined): StatusCode {
  switch (outcome?.result) {
    case 'Confirmed':
      return StatusCodes.Good;
    case 'Pending':
      return StatusCodes.GoodCompletesAsynchronously;
    case 'TimedOut':
      return StatusCodes.BadTimeout;
    case 'Superseded':
      return StatusCodes.BadInvalidState;
    case 'Expired':
      return StatusCodes.BadNoCommunication;
    case 'Rejected':
    case undefined:
      return StatusCodes.BadDeviceFailure;
  }
}

const CODES: Readonly<Record<DriverErrorKind, StatusCode>> = {
  Unreachable: StatusCodes.BadNotConnected,
  TimedOut: StatusCodes.BadTimeout,
  AccessDenied: StatusCodes.BadUserAccessDenied,
  NotFound: StatusCodes.BadNotFound,
  Rejected: StatusCodes.BadDeviceFailure,
  Malformed: StatusCodes.BadCommunicationError,
  Unsupported: StatusCodes.BadNotSupported,
  Busy: StatusCodes.BadTooManyOperations,
  Misconfigured: StatusCodes.BadInvalidArgument,
  Closed: StatusCodes.BadNotConnected,
};

export function statusOfError({ kind }: DriverError): StatusCode {
  return CODES[kind];
}
