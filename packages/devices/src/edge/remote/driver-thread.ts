/** What a driver's thread runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { jsonLogger, systemClock } from '@skerry/base';
import type { DriverHome } from '../driver.ts';
import { BUILTIN_DRIVERS } from '../worker/drivers.ts';
import { serveDriver } from './serve-driver.ts';
import { parentPortOf } from './thread.ts';

/** Resolves when the worker is gone; throws, and so ends the thread, when there is no such driver. */
export async function runDriverThread(): Promise<void> {
  const { driver: protocol, home } = workerData as { readonly driver: string; readonly home?: DriverHome };
  const loader = Object.hasOwn(BUILTIN_DRIVERS, protocol) ? BUILTIN_DRIVERS[protocol] : undefined;
  if (loader === undefined || parentPort === null) throw new Error(`there is no driver ${protocol}`);
  const log = jsonLogger({
    write: (line) => void process.stderr.write(line),
    now: Date.now,
    fields: { worker: 'data', driver: protocol },
  });
  const driver = await loader({ clock: systemClock, ...(home === undefined ? {} : { home }) });
  await serveDriver({ driver, port: parentPortOf(parentPort), clock: systemClock, log });
}
