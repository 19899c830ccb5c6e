/** Where drivers come from: those of ours are loaded when the first device asks for one. */
import type { Clock } from '@skerry/base';
import type { Driver } from '../driver.ts';
import { DriverError } from '../driver-error.ts';

/** Loads a driver; called once, when a device first needs it. */
export type DriverLoader = (context: { readonly clock: Clock }) => Promise<Driver>;

export const BUILTIN_DRIVERS: Readonly<Record<string, DriverLoader>> = {
  simulator: async ({ clock }) => (await import('../drivers/simulator/driver.ts')).createSimulator(clock),
};

export interface Drivers {
  /** Rejects with `Misconfigured` when there is no such driver. */
  open(protocol: string): Promise<Driver>;
  close(): Promise<void>;
}

export function createDrivers(
  clock: Clock,
  loaders: Readonly<Record<string, DriverLoader>> = BUILTIN_DRIVERS,
): Drivers {
  const opened = new Map<string, Promise<Driver>>();
  return {
    open: (protocol) => {
      const known = opened.get(protocol);
      if (known !== undefined) return known;
      const loader = Object.hasOwn(loaders, protocol) ? loaders[protocol] : undefined;
      if (loader === undefined)
        return Promise.reject(new DriverError('Misconfigured', `this node has no driver for ${protocol}`));
      const opening = loader({ clock });
      opened.set(protocol, opening);
      // What could not be loaded may be there the next time.
      opening.catch(() => opened.delete(protocol));
      return opening;
    },
    close: async () => {
      const drivers = await Promise.allSettled(opened.values());
      await Promise.all(drivers.map((each) => (each.status === 'fulfilled' ? each.value.close?.() : undefined)));
    },
  };
}
