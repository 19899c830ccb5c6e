/** The life of a service's process: told to stop once and stopped once, also while it starts, and not ended by a stray promise. */
import type { Clock } from './clock.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';

/** What is used of Node's `process`. */
export interface HostProcess {
  on(event: string, listener: (argument: unknown) => void): unknown;
  /** Whether whoever started this process can still speak to it; absent when nobody ever could. */
  readonly connected?: boolean;
  readonly stderr: { on(event: 'error', listener: () => void): unknown };
  send?(message: object): unknown;
  exit(code: number): void;
}

export interface Service {
  /** What whoever started this process is told. */
  readonly facts: Readonly<Record<string, string>>;
  stop(): Promise<void>;
  /** Ends what else would outlive the process, too; takes as long as that takes. */
  stopAll?(): Promise<void>;
}

export interface ServiceOptions {
  readonly host: HostProcess;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether a message of whoever started this process asks for `stopAll`. */
  readonly asksForAll?: (message: unknown) => boolean;
}

type Stop = 'stop' | 'stopAll';

/** A plain stop that takes longer is given up: all that matters is on disk. */
export const STOP_LIMIT_MS = 30_000;

/** Rejects when the start fails; otherwise the process ends with `exit`. */
export async function runService(options: ServiceOptions, start: () => Promise<Service>): Promise<void> {
  const { host, log } = options;
  // A rejection that nobody handles is a fault of ours, and one client's request must not end the service for all.
  host.on('unhandledRejection', (reason) => log.error({ error: reason }, 'a promise was rejected and nobody listened'));
  // The log may be a pipe that nobody reads any more, or a file on a full disk: neither is a reason to end.
  host.stderr.on('error', () => {});
  let service: Service | undefined;
  let wanted: Stop | undefined;
  const ask = (how: Stop): void => {
    // Whoever asks twice does not want to wait.
    if (wanted !== undefined) host.exit(1);
    else if (service !== undefined) void end(options, service, how);
    wanted = how;
  };
  for (const signal of ['SIGINT', 'SIGTERM']) host.on(signal, () => ask('stop'));
  host.on('message', (message) => {
    if (options.asksForAll?.(message) === true && wanted === undefined) ask('stopAll');
  });
  // Whoever started us is gone: nobody would ever stop us.
  host.on('disconnect', () => {
    if (wanted === undefined) ask('stop');
  });
  service = await start();
  if (wanted !== undefined) return end(options, service, wanted);
  if (host.connected === true) host.send?.(service.facts);
}

async function end({ host, clock, log }: ServiceOptions, service: Service, how: Stop): Promise<void> {
  if (how === 'stop') {
    clock.after(STOP_LIMIT_MS, () => {
      log.error({ limitMs: STOP_LIMIT_MS }, 'not stopped in time');
      host.exit(1);
    });
  }
  try {
    await (how === 'stopAll' && service.stopAll !== undefined ? service.stopAll() : service.stop());
    host.exit(0);
  } catch (error) {
    log.error({ error: messageOf(error) }, 'not stopped in order');
    host.exit(1);
  }
}
