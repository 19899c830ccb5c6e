/** Live values through the API: `telemetry.skerry.io`. */
export { DEVICE_VALUES, type DeviceValues, type LiveValue } from './device-values.ts';
export { deviceValuesKind } from './read-values.ts';
