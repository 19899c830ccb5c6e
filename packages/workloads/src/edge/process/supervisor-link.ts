/** Holds the connection to the supervisor, and makes a new one when it breaks: a supervisor that died is started again. */
import { type BackoffPolicy, backoffDelay, type Clock, type Logger } from '@skerry/base';
import { errors } from '../../supervisor/errors.ts';
import type { ProcessRecord } from '../../supervisor/protocol.ts';
import type { SupervisorClient } from '../supervisor-client.ts';

const RECONNECT: BackoffPolicy = { baseMs: 50, capMs: 5000 };

export interface LinkOptions {
  readonly connect: (onExit: (record: ProcessRecord) => void) => Promise<SupervisorClient>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SupervisorLink {
  /** The live connection; throws GONE while there is none. */
  client(): SupervisorClient;
  /** Ends the supervisor for good. */
  shutdown(): Promise<void>;
  close(): void;
}

/** `onRecord` hears of each exit, and after a new connection of everything the supervisor knows. */
export async function openLink(
  options: LinkOptions,
  onRecord: (record: ProcessRecord) => void,
): Promise<SupervisorLink> {
  const stopped = new AbortController();
  let current: SupervisorClient | undefined = await options.connect(onRecord);
  const follow = async (): Promise<void> => {
    for (let attempt = 0; !stopped.signal.aborted; ) {
      await current?.closed;
      current = undefined;
      if (stopped.signal.aborted) return;
      await options.clock.sleep(backoffDelay(RECONNECT, attempt), stopped.signal);
      try {
        current = await options.connect(onRecord);
        if (stopped.signal.aborted) {
          current.close();
          return;
        }
        attempt = 0;
        for (const record of current.hello.records) onRecord(record);
      } catch (error) {
        attempt++;
        options.log.warn({ error, attempt }, 'supervisor not reached');
      }
    }
  };
  follow().catch(() => {});
  return {
    client: () => {
      if (current === undefined) throw errors.GONE();
      return current;
    },
    shutdown: async () => {
      if (current === undefined) throw errors.GONE();
      // First, or it would be started again while the rest of the node still stops.
      stopped.abort();
      await current.shutdown();
    },
    close: () => {
      stopped.abort();
      current?.close();
    },
  };
}
