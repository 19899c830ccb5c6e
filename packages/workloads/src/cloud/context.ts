/** What every controller is given. */
import type { ResourceRow } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { type Client, createRecorder, type Recorder } from '@skerry/kube/client';
import { createInformerFactory, type InformerFactory } from '@skerry/kube/controller';

export interface CloudContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The built-in kinds; custom ones are found through their definitions. */
  readonly rows: readonly ResourceRow[];
  readonly informers: InformerFactory;
  /** Records events in the name of a component. */
  recorder(component: string): Recorder;
}

export type CloudContextOptions = Pick<CloudContext, 'client' | 'clock' | 'log' | 'signal' | 'rows'>;

export function cloudContext(options: CloudContextOptions): CloudContext {
  return {
    ...options,
    informers: createInformerFactory(options),
    recorder: (component) => createRecorder({ ...options, component }),
  };
}
