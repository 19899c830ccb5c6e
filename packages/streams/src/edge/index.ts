/** Streams at a node. */
export type { DeviceWrite, NodeDevice, NodeValues } from './node-values.ts';
export { type Streams, type StreamsOptions, startStreams } from './start-streams.ts';
