/** Live values, calls of commands and histories of devices through the API: `telemetry.skerry.io`. */
import type { NodePostDialer } from './ask-device.ts';
import { deviceCallsKind } from './device-calls.ts';
import { deviceHistoriesKind } from './device-histories.ts';
import { deviceValuesKind, type TelemetryOptions } from './read-values.ts';

export { DEVICE_CALLS, type DeviceCall } from './device-calls.ts';
export { DEVICE_HISTORIES, type DeviceHistory } from './device-histories.ts';
export { DEVICE_VALUES, type DeviceValues, type LiveValue } from './device-values.ts';
export { deviceValuesKind } from './read-values.ts';

/** Virtual kinds for the API server's table. */
export function telemetryKinds(options: {
  readonly client: TelemetryOptions['client'];
  readonly dialer: TelemetryOptions['dialer'] & NodePostDialer;
  readonly clock: { now(): number };
}) {
  const { clock } = options;
  return [
    deviceValuesKind(options),
    deviceCallsKind(options),
    deviceHistoriesKind({ ...options, now: () => clock.now() }),
  ];
}
