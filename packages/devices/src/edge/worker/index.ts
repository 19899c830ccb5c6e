/** The half of the data worker that deals with devices, for the program that puts the halves together. */
export type { DataPlane } from './data-worker.ts';
export { planDevice } from './device-plan.ts';
export { Pipeline } from './pipeline.ts';
export { createPublisher } from './publisher.ts';
export { startDevicesHalf } from './worker-program.ts';
