/** What the agent must know to run the data worker; nothing heavy is behind this door. */
export { DEVICES_GROUP } from '../resources/group.ts';
export type { WorkerStart } from './worker-start.ts';
