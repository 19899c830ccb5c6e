export { checkStreamsWrite, type StreamsLookups, type StreamsWrite } from './admission.ts';
export { createTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
