export { DEFAULT_BOUNDS } from './bounds.ts';
export type { UnpackJob, UnpackOutcome } from './job.ts';
