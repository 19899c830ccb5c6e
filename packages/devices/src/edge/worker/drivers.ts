/** Where drivers come from: ours when the first device asks for one, those of others when they come. */
import type { Clock } from '@skerry/base';
import type { Driver, DriverHome } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import type { RemoteDriver } from '../remote/remote-driver.ts';

/** Loads a driver; called once, when a device first needs it. */
export type DriverLoader = (context: LoaderContext) => Promise<Driver>;

export interface LoaderContext {
  readonly clock: Clock;
  readonly home?: DriverHome;
}

/** Every driver of ours is a line here, a line in `protocols/index.ts`, and a folder in `drivers/`. */
export const BUILTIN_DRIVERS: Readonly<Record<string, DriverLoader>> = {
  frames: async ({ clock }) => (await import('../drivers/frames/driver.ts')).createFrames({ clock }),
  http: async ({ clock }) => (await import('../drivers/http/driver.ts')).createHttp({ clock }),
  modbus: async ({ clock }) => (await import('../drivers/modbus/driver.ts')).createModbus({ clock }),
  mqtt: async ({ home }) => (await import('../drivers/mqtt/driver.ts')).createMqtt(home?.folder),
  opcua: async ({ home }) =>
    (await import('../drivers/opcua/driver.ts')).createOpcuaDriver(home === undefined ? {} : { home }),
  simulator: async ({ clock }) => (await import('../drivers/simulator/driver.ts')).createSimulator(clock),
  'text-lines': async ({ clock }) => (await import('../drivers/text-lines/driver.ts')).createTextLines({ clock }),
};

export interface DriversOptions {
  readonly clock: Clock;
  readonly loaders?: Readonly<Record<string, DriverLoader>>;
  /** Runs a driver of ours apart from everything else; without it they run here. */
  readonly isolate?: (protocol: string) => RemoteDriver;
  /** Drivers of others. */
  readonly others?: (protocol: string) => Driver | undefined;
}

export interface Drivers {
  /** Rejects with `Misconfigured` when there is no such driver. */
  open(protocol: string): Promise<Driver>;
  close(): Promise<void>;
}

export function createDrivers(options: DriversOptions): Drivers {
  const { loaders = BUILTIN_DRIVERS, others } = options;
  const opened = new Map<string, Promise<Driver>>();
  return {
    open: (protocol) => {
      const known = opened.get(protocol);
      if (known !== undefined) return known;
      const loader = Object.hasOwn(loaders, protocol) ? loaders[protocol] : undefined;
      if (loader !== undefined) return openOwn(options, opened, protocol, loader);
      const other = others?.(protocol);
      if (other !== undefined) return Promise.resolve(other);
      return Promise.reject(new DriverError('Misconfigured', `this node has no driver for ${protocol}`));
    },
    close: async () => {
      const drivers = await Promise.allSettled(opened.values());
      await Promise.all(drivers.map(async (each) => (each.status === 'fulfilled' ? each.value.close?.() : undefined)));
    },
  };
}

function openOwn(
  { clock, isolate }: DriversOptions,
  opened: Map<string, Promise<Driver>>,
  protocol: string,
  loader: DriverLoader,
): Promise<Driver> {
  const remote = isolate?.(protocol);
  const opening = remote === undefined ? loader({ clock }) : Promise.resolve(remote);
  opened.set(protocol, opening);
  const forget = () => opened.delete(protocol);
  // What crashed or could not be loaded is begun anew by the device that asks next.
  opening.catch(forget);
  void remote?.closed.then(forget);
  return opening;
}
