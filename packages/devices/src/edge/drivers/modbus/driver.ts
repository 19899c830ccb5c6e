/** The Modbus driver: Devices on buses that they share. */
import type { Clock } from '@skerry/base';
import type { DeviceSettings, Driver, DriverContext } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { type OpenStream, openStream } from '../../transport/open-stream.ts';
import { type Bus, Buses } from './bus.ts';
import { Conversation } from './conversation.ts';
import { discoverUnits } from './discover.ts';
import { type ModbusOptions, modbusOptions } from './options.ts';
import { ModbusSession } from './session.ts';
import { SilentUnits } from './silent-units.ts';

export interface ModbusDriverOptions {
  readonly clock: Clock;
  readonly openStream?: OpenStream;
}

export function createModbus({ clock, openStream: open = openStream }: ModbusDriverOptions): Driver {
  const buses = new Buses({ clock, openStream: open });
  const unanswered = new Map<string, Uint8Array>();

  const converse = async (settings: DeviceSettings, signal: AbortSignal): Promise<Conversing> => {
    const options = modbusOptions(settings);
    const { timeoutMs, retries, endpoint } = settings;
    const bus = await givenUpBy(signal, buses.acquire(options, timeoutMs));
    const silent = new SilentUnits(unanswered, endpoint);
    return { options, bus, silent, conversation: new Conversation({ bus, silent, timeoutMs, retries }) };
  };

  return {
    protocol: 'modbus',
    connect: async (settings, { signal }) => {
      const conversing = await converse(settings, signal);
      try {
        await askAgain(conversing, signal);
      } catch (error) {
        conversing.bus.release();
        throw error;
      }
      const { bus, conversation, options } = conversing;
      return new ModbusSession(bus, conversation, options);
    },
    discover: async function* (request, context: DriverContext) {
      const { bus, conversation, options } = await converse({ ...request.settings, retries: 0 }, context.signal);
      try {
        yield* discoverUnits(request, { conversation, options, signal: context.signal });
      } finally {
        bus.release();
      }
    },
    close: () => {
      buses.close();
      return Promise.resolve();
    },
  };
}

interface Conversing {
  readonly options: ModbusOptions;
  readonly bus: Bus;
  readonly silent: SilentUnits;
  readonly conversation: Conversation;
}

/** What the unit left unanswered the last time; any answer will do. */
async function askAgain({ silent, options: { unit }, conversation }: Conversing, signal: AbortSignal): Promise<void> {
  const pdu = silent.unanswered(unit);
  if (pdu === undefined) return;
  await conversation.run(signal, (owner) => conversation.hear(owner, unit, pdu));
}

/** Others may still want the bus that one gives up. */
async function givenUpBy(signal: AbortSignal, acquiring: Promise<Bus>): Promise<Bus> {
  const giveUp = Promise.withResolvers<never>();
  const onAbort = () => giveUp.reject(new DriverError('Closed', 'the attempt to connect was given up'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([acquiring, giveUp.promise]);
  } catch (error) {
    if (signal.aborted)
      void acquiring.then(
        (bus) => bus.release(),
        () => {},
      );
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
