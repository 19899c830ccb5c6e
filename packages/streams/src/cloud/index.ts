export { type AllowedTarget, parseAllowedTargets } from '../outlets/reach.ts';
export { createTrials, type Trials } from '../trial/trials.ts';
export { checkStreamsWrite, type StreamsLookups, type StreamsWrite } from './admission.ts';
export { type CloudOutlets, type CloudOutletsOptions, startCloudOutlets } from './outlets.ts';
export { createRehearsal, type Rehearsal } from './rehearsal.ts';
export { startCloudRetentions } from './retentions.ts';
export { routePlaces } from './route-places.ts';
export { ruleTestsKind } from './rule-tests.ts';
export { createTelemetry, TELEMETRY_PATH, type Telemetry, type TelemetryOptions } from './telemetry.ts';
