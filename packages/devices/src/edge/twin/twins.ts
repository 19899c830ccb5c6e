/** The twins of all devices that are driven here, and the door to them. */
import type { Clock, Logger } from '@skerry/base';
import { formatObjectKey, parseObjectKey } from '@skerry/kube/controller';
import type { PropertyRef } from '../../resources/control-loop.ts';
import { DriverError } from '../driver-error.ts';
import type { DeviceController } from '../worker/device-controller.ts';
import type { LiveDevice } from '../worker/live-device.ts';
import { callCommand } from './commands.ts';
import { DeviceTwin, type DeviceTwinContext } from './device-twin.ts';
import type { DeviceDoor, WriteOutcome } from './door.ts';
import type { Holder } from './property-twin.ts';
import type { WriteLedger } from './write-ledger.ts';

/** A property of a device that is driven here, or may be. */
export interface PropertyPlace extends PropertyRef {
  readonly namespace: string;
}

export interface Twins extends DeviceDoor {
  /** Only those that hold the property write to it. The returned function ends this one hold. */
  hold(place: PropertyPlace, holder: Holder): () => void;
  close(): void;
}

export interface TwinsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly devices: DeviceController;
  readonly ledger: WriteLedger;
}

export function startTwins({ devices, ...context }: TwinsOptions): Twins {
  const twins = new Map<string, DeviceTwin>();
  // Apart from the twins: a device that is planned anew is held on.
  const holds = new Map<string, Set<Holder>>();
  const look = (key: string): DeviceTwin | undefined => {
    const { namespace, name } = parseObjectKey(key);
    const device = devices.get(namespace, name);
    if (device === undefined) {
      twins.get(key)?.close();
      twins.delete(key);
      return undefined;
    }
    const twin =
      twins.get(key) ??
      twinOf(device, devices, { ...context, holdersOf: (property) => holds.get(placeIn(key, property)) });
    twins.set(key, twin);
    twin.look(device);
    return twin;
  };
  const end = devices.onChange(look);
  const at = (namespace: string, name: string) => look(formatObjectKey({ namespace, name }));
  return {
    write: async (request, signal) => {
      const twin = at(request.namespace, request.device);
      return twin === undefined ? nobody(request.values, context.clock) : twin.writeLocal(request, signal);
    },
    call: async ({ namespace, device: name, by, command, input }, signal) => {
      const device = devices.get(namespace, name);
      if (device === undefined) throw new DriverError('Unreachable', NOT_HERE);
      context.log.info({ device: `${namespace}/${name}`, command, by }, 'command of a device called');
      return callCommand(device, command, input, { clock: context.clock, signal });
    },
    hold: ({ namespace, device, property }, holder) => {
      const key = formatObjectKey({ namespace, name: device });
      const place = placeIn(key, property);
      const holders = holds.get(place) ?? new Set();
      holds.set(place, holders.add(holder));
      return () => {
        holders.delete(holder);
        if (holders.size === 0 && holds.get(place) === holders) holds.delete(place);
        // A wish may have waited for this.
        twins.get(key)?.lookAgain();
      };
    },
    close: () => {
      end();
      for (const twin of twins.values()) twin.close();
      twins.clear();
    },
  };
}

function placeIn(device: string, property: string): string {
  return `${device}.${property}`;
}

const NOT_HERE = 'the device is not driven on this node';

function twinOf(
  device: LiveDevice,
  devices: DeviceController,
  context: Omit<DeviceTwinContext, 'onStatus'>,
): DeviceTwin {
  const { namespace, name } = device;
  const log = context.log.child({ device: `${namespace}/${name}` });
  return new DeviceTwin(device, {
    ...context,
    log,
    onStatus: (writes, withinMs) => devices.setSection(namespace, name, 'writes', writes, withinMs),
  });
}

function nobody(values: object, clock: Clock): Readonly<Record<string, WriteOutcome>> {
  const outcome: WriteOutcome = { result: 'Rejected', reason: NOT_HERE, time: new Date(clock.now()).toISOString() };
  return Object.fromEntries(Object.keys(values).map((property) => [property, outcome]));
}
