/** Devices of the node as rules see them. */
import type { DataPlane } from '@skerry/devices/worker';
import type { NodeDevice, NodeValues } from '@skerry/streams/edge';

export function nodeValues({ bus, series, last, devices, door }: DataPlane): NodeValues {
  return {
    bus,
    series,
    last,
    devices: () =>
      devices.all().map(
        ({ namespace, name, device, points }): NodeDevice => ({
          namespace,
          name,
          model: device.spec.model.name,
          labels: device.metadata.labels ?? {},
          points: points.map((point) => ({ property: point.property.name, series: point.series })),
        }),
      ),
    onDevices: (handler) => devices.onChange(handler),
    write: async (write, signal) => {
      const outcomes = await door.write(write, signal);
      const refused = Object.entries(outcomes).filter(([, { result }]) => result !== 'Confirmed');
      return Object.fromEntries(refused.map(([property, { result, reason }]) => [property, reason ?? result]));
    },
  };
}
