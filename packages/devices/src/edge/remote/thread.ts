/** Drivers in threads of their own: what one of them does to itself, it does to no other. */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { DriverHome } from '../driver.ts';
import type { FromDriver, Port, ToDriver } from './messages.ts';
import { type RemoteDriver, remoteDriver } from './remote-driver.ts';

export interface ThreadOptions {
  /** What the thread runs: it serves the driver that `workerData.driver` names. */
  readonly program: string | URL;
  readonly execArgv?: readonly string[];
  readonly home?: DriverHome;
}

/** What a driver may take before only it dies. */
const MAX_HEAP_MB = 1024;

/** Starts a thread for the driver; its end is the end of the port. */
export function driverInThread(protocol: string, { program, execArgv, home }: ThreadOptions): RemoteDriver {
  const thread = new Worker(program, {
    name: `driver-${protocol}`,
    workerData: { driver: protocol, ...(home === undefined ? {} : { home }) },
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
  });
  return remoteDriver(protocol, threadPort(thread));
}

function threadPort(thread: Worker): Port<ToDriver, FromDriver> {
  let failure: string | undefined;
  thread.once('error', (error) => {
    failure = error instanceof Error ? error.message : String(error);
  });
  const closed = new Promise<string>((resolve) => {
    thread.once('exit', (code) => resolve(failure ?? `it ended with code ${code}`));
  });
  return {
    closed,
    post: (message) => thread.postMessage(message),
    onMessage: (listener) => thread.on('message', listener),
    close: () => void thread.terminate(),
  };
}

/** The thread's own end of the port. */
export function parentPortOf(port: MessagePort): Port<FromDriver, ToDriver> {
  return {
    closed: new Promise((resolve) => port.once('close', () => resolve('the worker is gone'))),
    post: (message) => port.postMessage(message),
    onMessage: (listener) => port.on('message', listener),
    close: () => port.close(),
  };
}
