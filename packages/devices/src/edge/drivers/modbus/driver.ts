/** The Modbus driver: Devices on buses that they share. */
import type { Clock } from '@skerry/base';
import type { DeviceSettings, Driver, DriverContext } from '../../driver.ts';
import { type OpenStream, openStream } from '../../transport/open-stream.ts';
import type { Share } from '../../transport/shared.ts';
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
    const share = await buses.acquire(options, timeoutMs, signal);
    const silent = new SilentUnits(unanswered, endpoint);
    const conversation = new Conversation({ bus: share.thing, silent, timeoutMs, retries });
    return { options, share, silent, conversation };
  };

  return {
    protocol: 'modbus',
    connect: async (settings, { signal }) => {
      const conversing = await converse(settings, signal);
      try {
        await askAgain(conversing, signal);
      } catch (error) {
        conversing.share.release();
        throw error;
      }
      const { share, conversation, options } = conversing;
      return new ModbusSession(share, conversation, options);
    },
    discover: async function* (request, context: DriverContext) {
      const { share, conversation, options } = await converse({ ...request.settings, retries: 0 }, context.signal);
      try {
        yield* discoverUnits(request, { conversation, options, signal: context.signal });
      } finally {
        share.release();
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
  readonly share: Share<Bus>;
  readonly silent: SilentUnits;
  readonly conversation: Conversation;
}

/** What the unit left unanswered the last time; any answer will do. */
async function askAgain({ silent, options: { unit }, conversation }: Conversing, signal: AbortSignal): Promise<void> {
  const pdu = silent.unanswered(unit);
  if (pdu === undefined) return;
  await conversation.run(signal, (owner) => conversation.hear(owner, unit, pdu));
}
