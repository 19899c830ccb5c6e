/** Live values and calls of commands through the API: `telemetry.skerry.io`. */
import { type CallOptions, deviceCallsKind } from './device-calls.ts';
import { deviceValuesKind, type TelemetryOptions } from './read-values.ts';

export { DEVICE_CALLS, type DeviceCall } from './device-calls.ts';
export { DEVICE_VALUES, type DeviceValues, type LiveValue } from './device-values.ts';
export { deviceValuesKind } from './read-values.ts';

/** Virtual kinds for the API server's table. */
export function telemetryKinds(options: {
  readonly client: TelemetryOptions['client'];
  readonly dialer: TelemetryOptions['dialer'] & CallOptions['dialer'];
}) {
  return [deviceValuesKind(options), deviceCallsKind(options)];
}
