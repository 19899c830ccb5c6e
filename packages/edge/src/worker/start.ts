/** What the agent tells the data worker when it starts it. */
import type { WorkerStart } from '@skerry/devices/supervision';

export interface DataWorkerStart extends WorkerStart {
  /** Where rules keep what they know, where files of streams are, and the time series of the node. */
  readonly streams: string;
  /** Where it gets streams to the cloud. */
  readonly linkDoor: string;
}
