/** Events of a device in terms of its model. */
import type { Clock } from '@skerry/base';
import { compileCodec } from '../../values/codec.ts';
import type { RawValue } from '../../values/encoding.ts';
import type { Value } from '../../values/value.ts';
import { parseValueType } from '../../values/value-type.ts';
import type { EventPoint, EventSink } from '../driver.ts';
import type { DevicePlan } from './device-plan.ts';
import type { DeviceEvent } from './live-device.ts';

export function eventPoints({ events, model }: DevicePlan): readonly EventPoint[] {
  return [...events].map(([event, address]) => ({
    event,
    address,
    fields: (model.events.get(event)?.fields ?? []).flatMap(({ name, type: text }) => {
      const type = parseValueType(text, model.structs);
      return typeof type === 'string' ? [] : [{ name, type }];
    }),
  }));
}

interface EventContext {
  readonly clock: Clock;
  readonly onEvent: (event: DeviceEvent) => void;
}

export function eventSink(
  { namespace, name: device }: DevicePlan,
  points: readonly EventPoint[],
  { clock, onEvent }: EventContext,
): EventSink {
  return {
    event: (index, raw, time = clock.now()) => {
      const point = points[index];
      if (point !== undefined) onEvent({ namespace, device, event: point.event, time, fields: fieldsOf(point, raw) });
    },
  };
}

/** A field that cannot be understood is left out: that something has happened counts more. */
function fieldsOf({ fields }: EventPoint, raw: Readonly<Record<string, RawValue>>): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>();
  for (const { name, type } of fields) {
    const given = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (given === undefined) continue;
    try {
      values.set(name, compileCodec(type, undefined).decode(given));
    } catch {
      // Not of the type that the model says.
    }
  }
  return values;
}
