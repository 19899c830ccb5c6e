/** Qualities as the status codes of OPC UA. */
import { isBad, isGood, Quality } from '@skerry/streams/contract';
import { type StatusCode, StatusCodes } from 'node-opcua-client';

const CODES: ReadonlyMap<number, StatusCode> = new Map([
  [Quality.configurationError, StatusCodes.BadConfigurationError],
  [Quality.notConnected, StatusCodes.BadNotConnected],
  [Quality.deviceFailure, StatusCodes.BadDeviceFailure],
  [Quality.sensorFailure, StatusCodes.BadSensorFailure],
  [Quality.lastKnown, StatusCodes.BadNoCommunication],
  [Quality.communicationFailure, StatusCodes.BadCommunicationError],
  [Quality.outOfService, StatusCodes.BadOutOfService],
  [Quality.waitingForInitialData, StatusCodes.BadWaitingForInitialData],
  [Quality.stale, StatusCodes.UncertainLastUsableValue],
  [Quality.sensorNotAccurate, StatusCodes.UncertainSensorNotAccurate],
  [Quality.outOfRange, StatusCodes.UncertainEngineeringUnitsExceeded],
  [Quality.good, StatusCodes.Good],
  [Quality.localOverride, StatusCodes.GoodLocalOverride],
]);

/** What has no code of its own is good, uncertain or bad. */
export function statusOfQuality(quality: number): StatusCode {
  const known = CODES.get(quality);
  if (known !== undefined) return known;
  if (isGood(quality)) return StatusCodes.Good;
  return isBad(quality) ? StatusCodes.Bad : StatusCodes.Uncertain;
}
