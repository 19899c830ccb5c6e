/** The road from a node to the cloud's time series: queues on disk at the edge, brought in order and once. */
export type { RouteReport, RouteSettings } from './contract.ts';
export { openRoad, type Road, type RoadOptions, type RoadRoute } from './edge/road.ts';
