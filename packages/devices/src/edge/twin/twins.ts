/** The twins of all devices that are driven here, and the door to them. */
import type { Clock, Logger } from '@skerry/base';
import { formatObjectKey, parseObjectKey } from '@skerry/kube/controller';
import { DriverError } from '../driver-error.ts';
import type { DeviceController } from '../worker/device-controller.ts';
import type { LiveDevice } from '../worker/live-device.ts';
import { callCommand } from './commands.ts';
import { DeviceTwin, type DeviceTwinContext } from './device-twin.ts';
import type { DeviceDoor, WriteOutcome } from './door.ts';
import type { WriteLedger } from './write-ledger.ts';

export interface Twins extends DeviceDoor {
  /** Only `by` writes to the property until it is released with undefined. */
  hold(
    at: { readonly namespace: string; readonly device: string; readonly property: string },
    by: string | undefined,
  ): void;
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
  const holds = new Map<string, string>();
  const look = (key: string): DeviceTwin | undefined => {
    const { namespace, name } = parseObjectKey(key);
    const device = devices.get(namespace, name);
    if (device === undefined) {
      twins.get(key)?.close();
      twins.delete(key);
      return undefined;
    }
    const twin =
      twins.get(key) ?? twinOf(device, devices, { ...context, heldBy: (property) => holds.get(`${key}.${property}`) });
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
    hold: ({ namespace, device, property }, by) => {
      const place = `${formatObjectKey({ namespace, name: device })}.${property}`;
      if (by === undefined) holds.delete(place);
      else holds.set(place, by);
    },
    close: () => {
      end();
      for (const twin of twins.values()) twin.close();
      twins.clear();
    },
  };
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
