export { checkStreamsWrite, type StreamsLookups, type StreamsWrite } from './admission.ts';
export { type CloudOutlets, type CloudOutletsOptions, startCloudOutlets } from './outlets.ts';
export { ruleTestsKind } from './rule-tests.ts';
export { startCloudRetentions } from './retentions.ts';
export { createTelemetry, TELEMETRY_PATH, type Telemetry, type TelemetryOptions } from './telemetry.ts';
