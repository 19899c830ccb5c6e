/** Which streams to the cloud the workers of this node may open over its link. */
import type { Clock, Logger } from '@skerry/base';
import { type LinkDoor, serveLinkDoor } from '@skerry/link/door';
import type { EdgeLink } from '@skerry/link/node';
import { ROAD_SERVICE, roadHeader } from '@skerry/streams/supervision';

export interface WorkerDoorOptions {
  readonly socket: string;
  readonly token: string;
  readonly link: () => Pick<EdgeLink, 'openStream' | 'status'> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The header is written here: a worker names no kind of stream, and speaks for nobody but the node. */
export function serveWorkerDoor({ link, ...options }: WorkerDoorOptions): Promise<LinkDoor> {
  return serveLinkDoor({
    ...options,
    open: (service, signal) => {
      const current = link();
      if (service !== ROAD_SERVICE) return Promise.reject(new Error(`workers open no stream "${service}"`));
      if (current?.status().connected !== true) return Promise.reject(new Error('the node is cut off from the cloud'));
      return current.openStream(roadHeader(), signal);
    },
  });
}
