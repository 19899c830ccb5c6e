/** What agent and cloud must know to let streams run and pass; nothing heavy is behind this door. */
export { STREAMS_GROUP } from './kinds/group.ts';
export { isRoadHeader, ROAD_SERVICE, roadHeader } from './road/service.ts';
export { SERIES_PATH } from './telemetry/ask-node.ts';
