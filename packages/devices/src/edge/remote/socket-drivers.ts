/** Drivers that are programs of others: they come to a unix socket of this node and say what they drive. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Clock, Logger } from '@skerry/base';
import type { Driver } from '../driver.ts';
import { DRIVER_PROTOCOL_VERSION, type FromDriver, type Port, type ToDriver } from './messages.ts';
import { remoteDriver } from './remote-driver.ts';
import { linePort } from './text.ts';

export interface SocketDrivers {
  /** The driver that is there now. */
  find(protocol: string): Driver | undefined;
  close(): Promise<void>;
}

export interface SocketDriversOptions {
  readonly path: string;
  /** Names that nobody else may take. */
  readonly taken: ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Hello {
  readonly hello?: { readonly protocol?: unknown; readonly version?: unknown };
}

type Greeting = { readonly welcome: { readonly version: number } } | { readonly refused: string };

/** Who says nothing for so long is sent away. */
const HELLO_MS = 5000;
const MAX_CONNECTIONS = 64;
const PROTOCOL_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

export async function openSocketDrivers(options: SocketDriversOptions): Promise<SocketDrivers> {
  const { path, log } = options;
  const drivers = new Map<string, Driver>();
  const server = createServer((socket) => greet(options, drivers, socket));
  server.maxConnections = MAX_CONNECTIONS;
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  server.on('error', (error) => log.error({ error: error.message }, 'drivers cannot come'));
  return {
    find: (protocol) => drivers.get(protocol),
    close: async () => {
      await Promise.all([...drivers.values()].map(async (driver) => driver.close?.()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function greet({ taken, clock, log }: SocketDriversOptions, drivers: Map<string, Driver>, socket: Socket): void {
  const port = linePort<Greeting | ToDriver, Hello | FromDriver>(socket);
  const timer = clock.after(HELLO_MS, () => port.close(), { unref: true });
  port.onMessage((message) => {
    timer.cancel();
    const { hello } = message as Hello;
    const refusal = refusalOf(hello, taken, drivers);
    if (refusal !== undefined) {
      port.post({ refused: refusal });
      socket.end();
      return;
    }
    const protocol = String(hello?.protocol);
    port.post({ welcome: { version: DRIVER_PROTOCOL_VERSION } });
    drivers.set(protocol, remoteDriver(protocol, port as Port<ToDriver, FromDriver>));
    log.info({ protocol }, 'driver came');
    void port.closed.then((reason) => {
      drivers.delete(protocol);
      log.warn({ protocol, reason }, 'driver went');
    });
  });
  void port.closed.then(() => timer.cancel());
}

function refusalOf(
  hello: Hello['hello'],
  taken: ReadonlySet<string>,
  drivers: ReadonlyMap<string, Driver>,
): string | undefined {
  if (hello === undefined || typeof hello.protocol !== 'string') return 'the first message must be a hello';
  const { protocol, version } = hello;
  if (version !== DRIVER_PROTOCOL_VERSION) return `version ${DRIVER_PROTOCOL_VERSION} is spoken here`;
  if (!PROTOCOL_NAME.test(protocol)) return 'the protocol has a name of lower-case letters, digits and -';
  if (taken.has(protocol)) return `${protocol} has a driver of Skerry's own`;
  return drivers.has(protocol) ? `${protocol} has a driver already` : undefined;
}
